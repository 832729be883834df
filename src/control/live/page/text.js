
'use strict';
// Numbers as people read them, and elements whose content is always text.

const SVG = 'http://www.w3.org/2000/svg';

// element('td.n', {title: 'x'}, child or text, ...); text never becomes HTML.
function element(what, attributes, ...children) {
  const [name, ...classes] = what.split('.');
  const made = document.createElement(name);
  if (classes.length > 0) made.className = classes.join(' ');
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function drawn(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes ?? {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const byId = (id) => document.getElementById(id);

// Only what differs touches the document: a screen reader keeps its place.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setClass(node, name) {
  if (node.className !== name) node.className = name;
}

function count(number) {
  if (number < 1000) return String(Math.round(number));
  for (const unit of ['k', 'M', 'G', 'T']) {
    number /= 1000;
    if (number < 999.5) return `${number < 10 ? number.toFixed(2) : number < 100 ? number.toFixed(1) : Math.round(number)} ${unit}`;
  }
  return `${Math.round(number)} T`;
}

// Per second.
function rate(number) {
  if (number === 0) return '0';
  if (number < 0.1) return '<0.1';
  return number < 10 ? number.toFixed(1) : count(number);
}

function bytes(number) {
  if (number < 1024) return `${number} B`;
  for (const unit of ['KiB', 'MiB', 'GiB', 'TiB']) {
    number /= 1024;
    if (number < 1000) return `${number < 10 ? number.toFixed(2) : number < 100 ? number.toFixed(1) : Math.round(number)} ${unit}`;
  }
  return `${Math.round(number)} PiB`;
}

// Of microseconds.
function duration(us) {
  if (!us) return '–';
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1e6) return `${us < 1e4 ? (us / 1e3).toFixed(1) : Math.round(us / 1e3)} ms`;
  return `${us < 1e7 ? (us / 1e6).toFixed(1) : Math.round(us / 1e6)} s`;
}

// Of seconds, the two largest units: "2 h 5 min".
function span(seconds) {
  const left = Math.max(0, Math.round(seconds));
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const first = parts.findIndex(([size]) => left >= size);
  if (first < 0) return '0 s';
  const [size, unit] = parts[first];
  const whole = `${Math.floor(left / size)} ${unit}`;
  const rest = parts[first + 1] ? Math.floor((left % size) / parts[first + 1][0]) : 0;
  return rest > 0 ? `${whole} ${rest} ${parts[first + 1][1]}` : whole;
}

function percent(share) {
  if (share === 0) return '0%';
  if (share < 0.0001) return '<0.01%';
  const hundred = share * 100;
  return `${hundred < 1 ? hundred.toFixed(2) : hundred < 10 ? hundred.toFixed(1) : Math.round(hundred)}%`;
}

// Of hundredths of a percent, exact.
const weight = (hundredths) => `${hundredths / 100}%`;

function clock(seconds) {
  const at = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
