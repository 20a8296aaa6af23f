// A real puppet service (npm wechaty-puppet-service) over the puppet of npm wechaty-puppet-mock, which is subclassed only for what
// the mock leaves out: message ids, recall, files, places, and faults. It is told what happens in the groups by lines of JSON and
// answers with what it was asked to say, on a connection of its own; tests/kit/puppet.py drives it.
//
// It loads everything, tells on standard output on which port it takes such lines, and waits for the first of them:
// {"do": "listen", "port": N, "token": "...", "tls": {"cert": "...", "key": "..."} | null, "account": "wxid_bot", "name": "..."}.
// So the successor of a killed service is ready at once, and one process serves one test after the other.
import net from 'node:net'
import readline from 'node:readline'
import { log } from 'wechaty-puppet'
import { FileBox } from 'file-box'
import { PuppetServer } from 'wechaty-puppet-service'
import { PuppetMock, mock } from 'wechaty-puppet-mock'

log.level('silent')
let driver // the connection of whoever tells us what to do
const tell = line => driver?.writable && driver.write(JSON.stringify(line) + '\n')
const TYPES = { text: 7, image: 6, file: 1, voice: 2, video: 15, location: 8, history: 4, url: 14, recalled: 13, sticker: 5, unknown: 0 }

class Peer extends PuppetMock {
  faults = []       // {method, error?, code?, delay?, lost?, times}
  files = new Map() // message id -> how to make its FileBox
  places = new Map()
  links = new Map()
  calls = {}
  running = 0
  most = 0
  echo = true
  ids = true
  number = 0

  async meet (method, work, conversation) {
    this.calls[method] = (this.calls[method] ?? 0) + 1
    this.most = Math.max(this.most, ++this.running)
    try {
      const index = this.faults.findIndex(fault =>
        (fault.method === method || fault.method === '*') && (!fault.conversation || fault.conversation === conversation))
      const fault = index < 0 ? undefined : this.faults[index]
      if (fault && fault.times !== undefined && --fault.times <= 0) this.faults.splice(index, 1)
      if (fault?.delay) await new Promise(resolve => setTimeout(resolve, fault.delay))
      if (fault?.error && !fault.lost) throw Object.assign(new Error(fault.error), fault.code ? { code: fault.code } : {})
      const done = await work()
      if (fault?.lost && fault.error) throw new Error(fault.error)
      if (fault?.lost) await new Promise(() => undefined) // done, but never answered
      return done
    } finally {
      this.running--
    }
  }

  ding (data) { if (!this.deaf) this.emit('dong', { data: data ?? '' }) }

  // what the bot says: told to the test, and seen by the account itself as one more message
  async said (conversation, more) {
    const id = `sent-${process.pid}-${++this.number}`
    tell({ said: id, conversation, ...more })
    if (this.echo) this.utter({ id, talker: this.currentUserId, conversation, type: more.kind, text: more.text ?? '' })
    return this.ids ? id : undefined
  }

  utter ({ id, talker, conversation, type = 'text', text = '', mentions = [], filename, timestamp }) {
    const room = this.mocker.cacheRoomPayload.has(conversation)
    const payload = {
      id, talkerId: talker, timestamp: timestamp ?? Date.now(), type: TYPES[type] ?? 0, text, filename,
      ...room ? { roomId: conversation, mentionIdList: mentions } : { listenerId: conversation },
    }
    this.mocker.cacheMessagePayload.set(id, payload)
    this.emit('message', { messageId: id })
  }

  messageRawPayload (id) { return this.meet('messagePayload', () => super.messageRawPayload(id)) }
  messagePayload (id) { return this.messageRawPayload(id) } // every call counts; the cache of wechaty-puppet is not under test
  roomPayload (id) { return this.meet('roomPayload', () => super.roomRawPayload(id)) }
  roomList () { return this.meet('roomList', () => super.roomList()) }
  contactPayload (id) { return this.meet('contactPayload', () => super.contactRawPayload(id)) }
  roomMemberPayload (room, id) {
    return this.meet('roomMemberPayload', async () => ({ avatar: '', ...await super.roomMemberRawPayload(room, id) }))
  }

  messageSendText (conversation, text, mentions) {
    return this.meet('messageSendText', () => {
      this.check(conversation)
      return this.said(conversation, { kind: 'text', text, mentions: mentions ?? [] })
    }, conversation)
  }

  messageSendFile (conversation, file) {
    return this.meet('messageSendFile', async () => {
      const data = await file.toBuffer()
      this.check(conversation)
      const kind = /\.(jpe?g|png)$/i.test(file.name) ? 'image' : 'file'
      return this.said(conversation, { kind, name: file.name, file: data.toString('base64') })
    })
  }

  messageSendUrl (conversation, card) {
    return this.meet('messageSendUrl', () => {
      this.check(conversation)
      return this.said(conversation, { kind: 'url', title: card.title, description: card.description, url: card.url })
    })
  }

  check (conversation) {
    const room = this.mocker.cacheRoomPayload.get(conversation)
    if (room ? !room.memberIdList.includes(this.currentUserId) : !this.mocker.cacheContactPayload.has(conversation)) {
      throw new Error('bot is not in room ' + conversation)
    }
  }

  messageRecall (id) {
    return this.meet('messageRecall', async () => {
      tell({ recalled: id })
      return true
    })
  }

  box (id) {
    const make = this.files.get(id)
    if (!make) throw new Error('no file of ' + id)
    return make()
  }

  messageFile (id) { return this.meet('messageFile', async () => this.box(id)) }
  messageImage (id) { return this.meet('messageImage', async () => this.box(id)) }
  messageLocation (id) { return this.meet('messageLocation', async () => this.places.get(id)) }
  messageUrl (id) { return this.meet('messageUrl', async () => this.links.get(id)) }
  roomInvitationAccept (id) { return this.meet('roomInvitationAccept', async () => tell({ accepted: id })) }
  friendshipAccept (id) { return this.meet('friendshipAccept', async () => tell({ accepted: id })) }
  async friendshipPayload (id) { return this.mocker.friendships.get(id) }
}

let mocker
let puppet
let server
let options

const deeds = {
  async listen ({ port, ...given }) {
    options = given
    mocker = new mock.Mocker()
    mocker.friendships = new Map()
    puppet = new Peer({ mocker })
    if (options.synthetic) imagine(options.synthetic)
    server = new PuppetServer({
      endpoint: `127.0.0.1:${port}`,
      puppet,
      token: options.token,
      tls: options.tls ? { serverCert: options.tls.cert, serverKey: options.tls.key } : { disable: true },
    })
    await puppet.start()
    await server.start()
    mocker.createContact({ id: options.account, name: options.name })
    if (!options.loggedOut) await puppet.login(options.account)
  },
  contact ({ id, name, type = 1 }) {
    mocker.cacheContactPayload.set(id, { id, name, type, gender: 0, avatar: '', friend: true, phone: [] })
  },
  room ({ id, topic, members }) {
    mocker.cacheRoomPayload.set(id, { id, topic, memberIdList: members, adminIdList: [], ownerId: members[0] })
  },
  rooms ({ count, members }) {
    for (let n = 0; n < count; n++) deeds.room({ id: `many${n}@chatroom`, topic: `第${n}群`, members })
  },
  say ({ file, location, link, ...message }) {
    if (file?.url) puppet.files.set(message.id, () => FileBox.fromUrl(file.url, { name: file.name }))
    else if (file) puppet.files.set(message.id, () => FileBox.fromBuffer(Buffer.from(file.data, 'base64'), file.name))
    if (location) puppet.places.set(message.id, location)
    if (link) puppet.links.set(message.id, link)
    puppet.utter(message)
  },
  again ({ id }) { puppet.emit('message', { messageId: id }) },
  many ({ count, start = 0 }) {
    for (let n = start; n < start + count; n++) puppet.emit('message', { messageId: `m${n}` })
  },
  joined ({ room, members, by, timestamp }) {
    const found = mocker.cacheRoomPayload.get(room)
    if (found) found.memberIdList.push(...members)
    puppet.emit('room-join', { inviteeIdList: members, inviterId: by, roomId: room, timestamp: timestamp ?? Date.now() })
  },
  left ({ room, members, by, timestamp }) {
    const found = mocker.cacheRoomPayload.get(room)
    if (found) found.memberIdList = found.memberIdList.filter(id => !members.includes(id))
    puppet.emit('room-leave', { removeeIdList: members, removerId: by, roomId: room, timestamp: timestamp ?? Date.now() })
  },
  topic ({ room, topic, by }) {
    const found = mocker.cacheRoomPayload.get(room)
    const oldTopic = found.topic
    found.topic = topic
    puppet.emit('room-topic', { changerId: by, newTopic: topic, oldTopic, roomId: room, timestamp: Date.now() })
  },
  friendship ({ id, contact, type }) {
    mocker.friendships.set(id, { id, contactId: contact, type, hello: '', timestamp: Date.now() })
    puppet.emit('friendship', { friendshipId: id })
  },
  invitation ({ id }) { puppet.emit('room-invite', { roomInvitationId: id }) },
  event ({ name, payload }) { puppet.emit(name, payload) },
  fault (fault) { puppet.faults.push(fault) },
  heal () { puppet.faults.length = 0 },
  set (values) { Object.assign(puppet, values) },
  hangup () {
    for (const session of server.grpcServer.sessions.keys()) session.destroy() // every connection breaks at once
  },
  async login () { await puppet.login(options.account) },
  async logout () { await puppet.logout('kicked by phone') },
  async stop () {
    await server?.stop()
    server = undefined
    await puppet?.stop()
  },
  ask () { tell({ calls: puppet.calls, most: puppet.most }) },
}

// for benchmarks: everything follows from a message's number, so that a million of them cost this process nothing
function imagine ({ rooms, talkers, text }) {
  puppet.messagePayload = async id => {
    const n = Number(id.slice(1))
    return {
      id,
      talkerId: `wxid_${n % talkers}`,
      timestamp: 1795400000000 + n,
      type: TYPES.text,
      text: text + n,
      roomId: `room${n % rooms}@chatroom`,
      mentionIdList: [],
    }
  }
  puppet.roomMemberPayload = async (room, id) => ({ id, name: '住户', avatar: '', roomAlias: '' })
  puppet.roomPayload = async id => ({ id, topic: id, memberIdList: ['wxid_1'], adminIdList: [], ownerId: 'wxid_1' })
  puppet.roomList = async () => []
}

async function obey (line) {
  const { do: deed, n, ...given } = JSON.parse(line)
  try {
    await deeds[deed](given)
    tell({ done: n })
  } catch (problem) {
    tell({ done: n, failed: String(problem?.stack ?? problem) })
  }
}

net.createServer(socket => {
  driver = socket
  socket.on('error', () => undefined)
  let before = Promise.resolve()
  readline.createInterface({ input: socket }).on('line', line => { before = before.then(() => obey(line)) })
}).listen(0, '127.0.0.1', function () {
  process.stdout.write(JSON.stringify({ ready: process.pid, port: this.address().port }) + '\n')
})
process.stdin.resume().on('end', () => process.exit(0)) // whoever started us is gone
