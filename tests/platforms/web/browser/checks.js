/** Checks of a page that people with other eyes, hands and screens rely on. Each answers a list of complaints. */

const visible = (node) => {
  const box = node.getBoundingClientRect();
  return box.width > 0 && box.height > 0 && getComputedStyle(node).visibility === "visible" && !node.closest("[hidden]");
};

/** With a dialog open, only what is in it can be reached. */
const scope = () => [...document.querySelectorAll("dialog")].find((dialog) => dialog.open) ?? document.body;

const describe = (node) => `${node.tagName.toLowerCase()}#${node.id}.${node.className} ${node.textContent.trim().slice(0, 20)}`;

const shownText = (node) =>
  [...node.childNodes]
    .map((child) => {
      if (child.nodeType === Node.TEXT_NODE) return child.textContent;
      if (child.nodeType !== Node.ELEMENT_NODE || child.getAttribute("aria-hidden") === "true") return "";
      return child.tagName === "IMG" ? child.alt : shownText(child);
    })
    .join("")
    .trim();

const nameOf = (node) => {
  const by = (node.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean);
  return (
    by.map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim() ||
    node.getAttribute("aria-label")?.trim() ||
    [...(node.labels ?? [])].map((label) => label.textContent).join(" ").trim() ||
    shownText(node)
  );
};

const CONTROLS = "button, a[href], input:not([type=file]), textarea, select, [role=option], [role=menuitem], [tabindex='0']";

function names() {
  const complaints = [];
  for (const node of scope().querySelectorAll(CONTROLS)) if (visible(node) && !nameOf(node)) complaints.push(`no name: ${describe(node)}`);
  for (const node of document.querySelectorAll("dialog[open], nav, aside, form, section, [role=log], [role=listbox], [role=menu]")) {
    if (visible(node) && !nameOf(node).trim()) complaints.push(`no name: ${describe(node)}`);
  }
  for (const image of document.querySelectorAll("img:not([alt])")) complaints.push(`no alt: ${describe(image)}`);
  return complaints;
}

function structure() {
  const complaints = [];
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) complaints.push(`id twice: ${id}`);
  for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls", "aria-activedescendant", "for"]) {
    for (const node of document.querySelectorAll(`[${attribute}]`)) {
      for (const id of node.getAttribute(attribute).split(" ")) if (!document.getElementById(id)) complaints.push(`${attribute} to nothing: ${id}`);
    }
  }
  if (document.querySelectorAll("main").length !== 1) complaints.push("not one main");
  if (document.querySelectorAll("h1").length !== 1) complaints.push("not one h1");
  if (document.documentElement.lang !== "zh-CN") complaints.push("no lang");
  if (!document.title) complaints.push("no title");
  for (const node of document.querySelectorAll("[tabindex]")) if (node.tabIndex > 0) complaints.push(`tabindex: ${describe(node)}`);
  for (const node of document.querySelectorAll("button button, a button, button a")) complaints.push(`nested: ${describe(node)}`);
  for (const node of document.querySelectorAll("[style]")) {
    if ([...node.attributes].some((attribute) => attribute.name.startsWith("on"))) complaints.push(`handler: ${describe(node)}`);
  }
  return complaints;
}

/** Links inside a sentence are as large as the sentence allows. */
function targets() {
  const complaints = [];
  for (const node of scope().querySelectorAll("button, a[href], input:not([type=file]), textarea, [role=option]")) {
    if (!visible(node) || node.closest("p") || node.matches(".skip")) continue;
    const { width, height } = node.getBoundingClientRect();
    if (width < 43.5 || height < 43.5) complaints.push(`${width.toFixed(0)}x${height.toFixed(0)}: ${describe(node)}`);
  }
  return complaints;
}

const channels = (colour) => {
  const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
  return colour.startsWith("color(srgb") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
};

const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];

const luminance = (rgb) => {
  const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

const ground = (node) => {
  if (!node) return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  const colour = channels(getComputedStyle(node).backgroundColor);
  return colour[3] === 1 ? colour.slice(0, 3) : over(colour, ground(node.parentElement));
};

function contrast() {
  const complaints = new Set();
  const walker = document.createTreeWalker(scope(), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !visible(node) || node.closest(".vh, .skip, noscript")) continue;
    const style = getComputedStyle(node);
    const back = ground(node);
    const front = over(channels(style.color), back);
    const [light, dark] = [luminance(front), luminance(back)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < 4.5) complaints.add(`${ratio.toFixed(2)}: ${describe(node)}`);
  }
  return [...complaints];
}

function overflow() {
  const complaints = [];
  if (document.scrollingElement.scrollWidth > innerWidth) complaints.push(`page is ${document.scrollingElement.scrollWidth} wide`);
  for (const node of scope().querySelectorAll("*")) {
    if (!visible(node) || node.closest(".vh, .skip, .tray, .icon")) continue;
    const box = node.getBoundingClientRect();
    if (box.right > innerWidth + 0.5 || box.left < -0.5) complaints.push(`${box.left.toFixed(0)}..${box.right.toFixed(0)}: ${describe(node)}`);
    if (["auto", "scroll"].includes(getComputedStyle(node).overflowX) && node.scrollWidth > node.clientWidth + 1) {
      complaints.push(`scrolls sideways: ${describe(node)}`);
    }
  }
  return complaints;
}
