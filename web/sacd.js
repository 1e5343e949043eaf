'use strict';
// Draws the results of `cleave experiment sacd`. All text from the data goes through textContent or
// an escape, never through markup.
(() => {
const COLORS = { 'SAC-d': '#0072B2', 'SAC-d, hedged': '#56B4E9', oracle: '#444444',
  'exact search': '#009E73', 'dynamic split': '#E69F00', DQN: '#CC79A7', 'I-SplitEE': '#D55E00',
  random: '#aab4be' };
const PARTS_OF_MACHINE = [['device', '#D55E00'], ['split', '#56B4E9'], ['edge', '#CC79A7']];
const colorOf = policy => COLORS[policy] || '#8894a0';
const percent = (share, n = 1) => `${(100 * share).toFixed(n)}%`;
const interval = (value, text) => `${text(value.mean)} (${text(value.low)} to ${text(value.high)})`;
const byReward = rows => [...rows].sort((a, b) => a.reward.mean - b.reward.mean);
const simulated = data.simulated;
const real = data.real;

function header() {
  page.append(el('h1', {}, 'Learned policies, measured'));
  page.append(el('p', { class: 'soft' }, `cleave ${data.cleave} · ${data.machine} · ${data.started}`));
  const warn = text => page.append(el('div', { class: 'warning' }, text));
  if (simulated.rows.length && !simulated.complete) {
    warn('Partial simulation: not every policy has played.');
  }
  if (real.rows.length && !real.complete) {
    warn(`Partial real run: ${Math.min(...real.rows.map(r => r.inferences))} inferences of each policy.`);
  }
  if (real.rows.length && !real.device_slowed) {
    warn('The device was not slowed: setting a CPU quota was not permitted here.');
  }
}

function verdict() {
  const missed = data.goals.filter(goal => goal.met === 'no');
  const unknown = data.goals.filter(goal => goal.met === 'unknown');
  const node = section('In short');
  node.append(el('p', {}, `${data.goals.length - missed.length - unknown.length} of ` +
    `${data.goals.length} goals are met.`));
  for (const goal of missed) {
    node.append(el('p', { class: 'mark no' }, `Missed: ${goal.figure}: ${goal.measured}, goal ${goal.goal}.`));
  }
  for (const goal of unknown) {
    node.append(el('p', { class: 'mark unknown' }, `Not known: ${goal.figure}: ${goal.note}.`));
  }
}

// Bars with 95% intervals, the best on top.
function bars(parent, rows, pick, axis, text) {
  const sorted = byReward(rows);
  const values = sorted.map(row => pick(row));
  draw(chart(parent), {
    grid: { left: 130, right: 40, top: 16, bottom: 48 },
    tooltip: { trigger: 'item', confine: true, formatter: p => p.data.html || '' },
    xAxis: { type: 'value', scale: values.every(v => v.low > 0), name: axis, nameLocation: 'middle', nameGap: 30 },
    yAxis: { type: 'category', data: sorted.map(row => row.policy) },
    series: [{ type: 'bar', barWidth: '58%', data: sorted.map((row, i) => ({ value: values[i].mean,
      itemStyle: { color: colorOf(row.policy) },
      html: `<b>${escapeHtml(row.policy)}</b><br>${interval(values[i], text)}` })) },
    { type: 'custom', silent: true, z: 5, renderItem: (params, api) => {
      const [x1, y] = api.coord([api.value(1), api.value(0)]);
      const x2 = api.coord([api.value(2), api.value(0)])[0];
      const line = (a, b, c, d) => ({ type: 'line', shape: { x1: a, y1: b, x2: c, y2: d },
        style: { stroke: '#111', lineWidth: 1.5 } });
      return { type: 'group', children: [line(x1, y, x2, y), line(x1, y - 5, x1, y + 5),
        line(x2, y - 5, x2, y + 5)] };
    }, data: values.map((v, i) => [i, v.low, v.high]), encode: { x: [1, 2], y: 0 } }] });
}

function table(parent, rows) {
  const columns = [
    ['policy', row => row.policy, false],
    ['n', row => row.inferences],
    ['reward', row => interval(row.reward, v => v.toFixed(4))],
    ['normalized', row => interval(row.normalized, v => v.toFixed(3))],
    ['latency, mean', row => interval(row.latency_us, time)],
    ['p50', row => time(row.p50_us)], ['p95', row => time(row.p95_us)], ['p99', row => time(row.p99_us)],
    ['late', row => interval(row.miss_share, v => percent(v, 2))],
    ['accuracy', row => interval(row.accuracy, v => percent(v, 2))],
    ['right and in time', row => interval(row.timely_accuracy, v => percent(v, 2))],
    ['bytes up', row => bytes(row.bytes_up.mean)],
    ['fell back', row => percent(row.fallbacks / Math.max(1, row.inferences))],
    ['hedged (won)', row => row.hedges ? `${row.hedges} (${row.hedges_won})` : '–'],
    ['guarded', row => percent(row.guarded_share)],
    ['reliability', row => interval(row.reliability, v => percent(v, 2))],
    ['nines, at least', row => row.reliability.low < 1 ? (-Math.log10(1 - row.reliability.low)).toFixed(1) : '–'],
  ];
  const head = el('tr');
  for (const [name, , number = true] of columns) head.append(el('th', number ? { class: 'number' } : {}, name));
  const body = el('tbody');
  for (const row of byReward(rows).reverse()) {
    const line = el('tr');
    for (const [, text, number = true] of columns) {
      line.append(el('td', number ? { class: 'number' } : {}, String(text(row))));
    }
    body.append(line);
  }
  parent.append(el('div', { class: 'scroll' }, el('table', {}, el('thead', {}, head), body)));
}

function part(title, explanation, rows) {
  if (!rows.length) return null;
  const node = section(title, explanation);
  table(node, rows);
  node.append(el('h3', {}, 'Reward'));
  bars(node, rows, row => row.reward, 'mean reward', v => v.toFixed(4));
  node.append(el('h3', {}, 'Answers after the deadline'));
  bars(node, rows, row => ({ mean: 100 * row.miss_share.mean, low: 100 * row.miss_share.low,
    high: 100 * row.miss_share.high }), 'late (%)', v => `${v.toFixed(2)}%`);
  return node;
}

function simulatedPart() {
  const node = part('Simulated', `${simulated.environment}: ${simulated.courses} courses that training ` +
    'never saw, the same for every policy; 95% intervals from a bootstrap over courses, and over the ' +
    `files of a learned policy that has several. Best fixed plan, in hindsight: ${simulated.best_fixed}.`,
    simulated.rows);
  if (!node) return;
  for (const row of simulated.rows.filter(r => r.rewards_by_file.length > 1)) {
    node.append(el('p', {}, `${row.policy}, reward of each file: ` +
      row.rewards_by_file.map(v => v.toFixed(4)).join(', ')));
  }
}

function realPart() {
  const node = part('Real', `${real.link}; device and edge are processes; batch ${real.batch}, deadline ` +
    `${time(real.deadline_us)}; blocks of ${real.block} inferences after ${real.warmup} uncounted ones, ` +
    'each policy once a cycle in random order, all policies of a cycle on the same course and pictures; ' +
    '95% intervals from a bootstrap over cycles; reliability with Clopper and Pearson\'s. ' +
    `Best fixed plan, in hindsight by the simulator: ${real.best_fixed}.`, real.rows);
  if (!node) return;
  for (const note of real.notes) node.append(el('p', {}, '• ', note));
}

// As `cleave train policy` writes them beside the policy.
function learningCurves() {
  const curves = data.curves && data.curves.seeds;
  if (!Array.isArray(curves) || !curves.length) return;
  const series = curves.map((seed, i) => ({ name: `seed ${seed.seed ?? i + 1}`, type: 'line',
    showSymbol: false, data: (seed.curve || []).map(p =>
      [p.step, p.score]).filter(([x, y]) =>
      Number.isFinite(x) && Number.isFinite(y)) })).filter(s => s.data.length);
  if (!series.length) return;
  const node = section('Learning curves', 'Normalized reward on held-out episodes while training: ' +
    'random = 0, oracle = 1.');
  draw(chart(node), { legend: { top: 6 },
    xAxis: { type: 'value', name: 'decisions', nameLocation: 'middle', nameGap: 30 },
    yAxis: { type: 'value', name: 'normalized reward', scale: true }, series });
}

function actionMix() {
  if (!simulated.mixes.some(mix => mix.bins.length)) return;
  const node = section('What is chosen at which rate', 'Share of the simulated inferences by where they ' +
    'ran, and by the exit that was chosen, in octaves of the true uplink rate.');
  let machine, exits;
  const update = selectors(node, { policy: { label: 'policy', values: simulated.mixes.map(m => m.policy),
    initial: 'SAC-d' } }, ({ policy }) => {
    const { bins } = simulated.mixes.find(mix => mix.policy === policy);
    const axis = { type: 'category', name: 'uplink', nameLocation: 'middle', nameGap: 30,
      data: bins.map(bin => rate(bin.low_bps)) };
    const stacked = (target, series) => draw(target, { legend: { top: 6 }, xAxis: axis,
      yAxis: { type: 'value', max: 1, axisLabel: { formatter: v => percent(v, 0) } },
      tooltip: { trigger: 'axis', confine: true, valueFormatter: v => percent(v) },
      series: series.map(s => ({ type: 'bar', stack: 'all', barCategoryGap: '12%', ...s })) });
    stacked(machine, PARTS_OF_MACHINE.map(([where, color]) => ({ name: where, color,
      data: bins.map(bin => (bin.where[where] || 0) / bin.inferences) })));
    const exitOf = plan => Number(plan.split('/')[2]);
    const all = numeric(bins.flatMap(bin => Object.keys(bin.plans).map(exitOf)));
    stacked(exits, all.map(exit => ({ name: `exit ${exit + 1}`, data: bins.map(bin =>
      Object.entries(bin.plans).filter(([plan]) => exitOf(plan) === exit)
        .reduce((sum, [, n]) => sum + n, 0) / bin.inferences) })));
  });
  machine = chart(node);
  exits = chart(node);
  update();
}

function timelines() {
  if (!simulated.timelines.length) return;
  const node = section('Across sudden changes', 'Simulated. Crosses are late answers; dashed lines mark ' +
    'the changes; the horizontal line is the deadline.');
  for (const timeline of simulated.timelines) {
    node.append(el('h3', {}, timeline.name), el('p', { class: 'soft' }, timeline.what));
    const deadline = timeline.runs[0]?.steps[0]?.deadline_us || 0;
    draw(chart(node), { legend: { top: 6 },
      tooltip: { trigger: 'item', confine: true, formatter: p => p.data?.html || '' },
      xAxis: { type: 'value', name: 'time (s)', nameLocation: 'middle', nameGap: 30 },
      yAxis: { type: 'log', name: 'latency (ms)' },
      series: timeline.runs.map((run, i) => ({ name: run.policy, type: 'line', color: colorOf(run.policy),
        lineStyle: { width: run.policy === 'SAC-d' ? 2.5 : 1.2 }, symbolSize: 7,
        data: run.steps.map(step => ({ value: [step.t_us / 1e6, ms(step.latency_us)],
          symbol: step.latency_us > step.deadline_us ? 'path://M0 0L8 8M8 0L0 8' : 'circle',
          html: `<b>${escapeHtml(run.policy)}</b> at ${(step.t_us / 1e6).toFixed(2)} s<br>` +
            `${time(step.latency_us)}, cut ${step.cut}/${escapeHtml(step.encoding)}/exit ${step.exit + 1}<br>` +
            `${rate(step.up_bps)}, slow-down ${digits(step.device_slowdown)}, ${escapeHtml(step.reason)}` })),
        markLine: i > 0 ? undefined : { silent: true, symbol: 'none', label: { show: false },
          data: [{ yAxis: ms(deadline), lineStyle: { color: '#b3261e', type: 'solid' } },
            ...timeline.change_s.map(t => ({ xAxis: t, lineStyle: { color: '#8894a0' } }))] } })) });
  }
}

function simulatorAgainstReality() {
  const scatter = real.scatter || {};
  const policies = Object.keys(scatter).filter(policy => scatter[policy].length);
  if (!policies.length) return;
  const all = real.replay[''];
  const node = section('Simulator against reality', `Each real inference that did not fall back, with what ` +
    'the environment\'s costs say from the true state of link and CPU at its start: median error ' +
    `${percent(all.median_error)}, 90% within ${percent(all.p90_error)}, median of replayed ÷ measured ` +
    `${all.bias.toFixed(3)} (${all.inferences} inferences).`);
  const points = policies.flatMap(policy => scatter[policy].flat()).filter(v => v > 0);
  const low = ms(points.reduce((a, b) => Math.min(a, b)));
  const high = ms(points.reduce((a, b) => Math.max(a, b)));
  draw(chart(node, 'tall'), { legend: { top: 6, type: 'scroll' },
    xAxis: { type: 'log', name: 'measured (ms)', nameLocation: 'middle', nameGap: 30, min: low, max: high },
    yAxis: { type: 'log', name: 'replayed (ms)', min: low, max: high },
    series: [...policies.map(policy => ({ name: policy, type: 'scatter', symbolSize: 4,
      color: colorOf(policy), data: scatter[policy].map(pair => pair.map(ms)) })),
    { name: 'equal', type: 'line', showSymbol: false, color: '#111', lineStyle: { type: 'dashed', width: 1 },
      data: [[low, low], [high, high]] }] });
  const body = el('tbody');
  for (const policy of policies) {
    const replay = real.replay[policy];
    body.append(el('tr', {}, el('td', {}, policy), el('td', { class: 'number' }, String(replay.inferences)),
      el('td', { class: 'number' }, percent(replay.median_error)),
      el('td', { class: 'number' }, percent(replay.p90_error)),
      el('td', { class: 'number' }, replay.bias.toFixed(3))));
  }
  node.append(el('table', {}, el('thead', {}, el('tr', {}, el('th', {}, 'policy'),
    ...['n', 'median error', '90% within', 'replayed ÷ measured'].map(name =>
      el('th', { class: 'number' }, name)))), body));
  if (data.ranking.real.length) {
    node.append(el('p', {}, `Ranking by reward, simulated: ${data.ranking.simulated.join(' > ')}`));
    node.append(el('p', {}, `Ranking by reward, real: ${data.ranking.real.join(' > ')}`));
    node.append(el('p', {}, `Spearman's rank correlation: ${data.ranking.spearman.toFixed(3)}`));
  }
}

function method() {
  const node = section('Method');
  const list = el('dl');
  const add = (name, value) => list.append(el('dt', {}, name), el('dd', {}, value));
  add('command', el('code', {}, data.command));
  add('run', `${data.started} to ${data.finished || 'unfinished'}`);
  for (const row of simulated.rows.length ? simulated.rows : real.rows) {
    if (row.files.length) add(row.policy, row.files.join(', '));
  }
  if (real.rows.length) {
    add('model', real.model);
    add('pictures', real.data);
    if (real.traces.length) add('traces', real.traces.join(', '));
    add('device', `slow-down 1 is ${real.device_share} of a core`);
    add('edge', `others occupied it ${percent(real.edge_load)} of the time`);
    add('reward', 'src/policy/reward.h; real: with the share of answers that were right');
  }
  node.append(list);
}

header(); verdict(); goals(); simulatedPart(); learningCurves(); actionMix(); timelines(); realPart();
simulatorAgainstReality(); method();
})();
