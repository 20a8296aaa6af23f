/** What can be typed after a slash, with one line of help. The server decides who may do what; this list only helps to type. */

/** @type {{name: string, hint: string, officer: boolean}[]} */
export const COMMANDS = [
  { name: "/帮助", hint: "看看我能做什么", officer: false },
  { name: "/问", hint: "问一个问题，如 /问 居住证怎么办", officer: false },
  { name: "/查", hint: "查一件事办到哪了，如 /查 2611-0042", officer: false },
  { name: "/补充", hint: "给一件事补充情况", officer: false },
  { name: "/撤回", hint: "撤回自己反映的事", officer: false },
  { name: "/核验", hint: "核对一位工作人员的身份", officer: false },
  { name: "/举报", hint: "保密举报，只在私聊里用", officer: false },
  { name: "/绑定", hint: "用一次性绑定码认领工作身份", officer: true },
  { name: "/待办", hint: "列出等我处理的事", officer: true },
  { name: "/受理", hint: "受理一件事", officer: true },
  { name: "/不受理", hint: "不受理，写明原因和去处", officer: true },
  { name: "/派单", hint: "派给一个单位，如 /派单 号 物业", officer: true },
  { name: "/接单", hint: "我来办这件事", officer: true },
  { name: "/联系", hint: "记下已经联系反映人", officer: true },
  { name: "/追问", hint: "请反映人补充情况", officer: true },
  { name: "/办结", hint: "写下结果并办结，如 /办结 号 已清走", officer: true },
  { name: "/回复", hint: "回答一个问题，如 /回复 号 内容", officer: true },
  { name: "/预览", hint: "看一条推送会发成什么样，如 /预览 反诈 综合", officer: true },
  { name: "/推送", hint: "发一条推送，如 /推送 反诈 综合", officer: true },
  { name: "/停止", hint: "停下还没发完的推送", officer: true },
  { name: "/线索", hint: "看线索，只在私聊里用", officer: true },
  { name: "/回线索", hint: "回复线索的来源，只在私聊里用", officer: true },
  { name: "/值班", hint: "确认警情、查看值班", officer: true },
  { name: "/统计", hint: "看本月的件数和办结情况", officer: true },
];
