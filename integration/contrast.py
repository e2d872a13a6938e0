"""How well a page's text stands out from what is behind it, measured in the browser."""

LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, for text of any size."""

CONTRAST = """
const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const parse = (color) => color.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = (element) => {
  for (; element; element = element.parentElement) {
    const color = parse(getComputedStyle(element).backgroundColor);
    if (color.length < 4 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
const found = new Map();
for (const element of document.body.querySelectorAll("*")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility() || element.closest("svg, .hidden, .skip, script")) continue;
  const [front, back] = [parse(getComputedStyle(element).color), behind(element)];
  const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
  found.set(`${front} on ${back}`, [(a + 0.05) / (b + 0.05), element.textContent.slice(0, 40)]);
}
return [...found].map(([colors, [ratio, text]]) => [ratio, colors, text]);
"""
