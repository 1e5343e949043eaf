'use strict';
// What the pages of all experiments have in common. All text from the data goes through textContent
// or an escape, never through markup.
const data = JSON.parse(document.getElementById('data').textContent);
const page = document.getElementById('page');

const el = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  for (const child of children) node.append(child);
  return node;
};
const escapeHtml = text => String(text).replace(/[&<>"']/g, c => `&#${c.charCodeAt(0)};`);
const digits = value => value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1)
  : value.toFixed(2);
const time = us => us >= 1e6 ? `${digits(us / 1e6)} s` : us >= 1000 ? `${digits(us / 1000)} ms`
  : `${us.toFixed(us < 10 ? 1 : 0)} µs`;
const ms = us => us / 1000;
const rate = bps => bps >= 1e6 ? `${+(bps / 1e6).toPrecision(3)} Mbit/s`
  : `${+(bps / 1e3).toPrecision(3)} kbit/s`;
const bytes = n => n >= 1e6 ? `${digits(n / 1e6)} MB` : n >= 1e3 ? `${digits(n / 1e3)} KB` : `${n} B`;
const unique = values => [...new Set(values)];
const numeric = values => unique(values).sort((a, b) => a - b);

const section = (title, explanation) => {
  const node = el('section', {}, el('h2', {}, title));
  if (explanation) node.append(el('p', { class: 'soft' }, explanation));
  page.append(node);
  return node;
};
const charts = [];
const chart = (parent, extraClass = '') => {
  const node = el('div', { class: `chart ${extraClass}` });
  parent.append(node);
  const made = echarts.init(node, null, { renderer: 'svg' });
  charts.push(made);
  return made;
};
window.addEventListener('resize', () => charts.forEach(c => c.resize()));
const draw = (target, option) => target.setOption({
  animation: false, textStyle: { fontFamily: 'system-ui, sans-serif' },
  grid: { left: 68, right: 24, top: 46, bottom: 56 },
  tooltip: { trigger: 'item', confine: true }, ...option }, true);

// A row of selectors; calls `render` with the chosen values now and on each change.
const selectors = (parent, spec, render) => {
  const row = el('div', { class: 'controls' });
  const boxes = {};
  for (const [key, { label, values, text = String, initial }] of Object.entries(spec)) {
    const box = el('select', { 'aria-label': label });
    values.forEach((value, i) => {
      const option = el('option', { value: i }, text(value));
      if (value === initial) option.selected = true;
      box.append(option);
    });
    boxes[key] = () => values[Number(box.value)];
    box.addEventListener('change', update);
    row.append(el('label', {}, `${label} `, box));
  }
  parent.append(row);
  function update() {
    render(Object.fromEntries(Object.entries(boxes).map(([key, get]) => [key, get()])));
  }
  return update;
};

function goals() {
  const node = section('Goals', 'Each figure is a ratio or a count within this one run.');
  const body = el('tbody');
  for (const goal of data.goals) {
    const mark = { yes: '✓ met', no: '✗ missed', unknown: '– not measured' }[goal.met] || goal.met;
    const figure = el('td', {}, goal.figure);
    if (goal.note) figure.append(el('div', { class: 'soft' }, goal.note));
    body.append(el('tr', {}, figure, el('td', { class: 'number' }, goal.goal),
      el('td', { class: 'number' }, goal.measured), el('td', { class: `mark ${goal.met}` }, mark)));
  }
  node.append(el('div', { class: 'scroll' }, el('table', {},
    el('thead', {}, el('tr', {}, el('th', {}, 'figure'), el('th', { class: 'number' }, 'goal'),
      el('th', { class: 'number' }, 'measured'), el('th', {}, ''))), body)));
}
