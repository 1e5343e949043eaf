'use strict';
// Draws the results of `cleave experiment dsc`. All text from the data goes through textContent or
// an escape, never through markup.
(() => {
const COLORS = { dynamic: '#0072B2', best: '#009E73', device: '#D55E00', edge: '#CC79A7',
  other: '#8894a0', rate: '#aab4be' };
const PHASES = [['decide_us', 'decide', '#444444'], ['head_us', 'head (device)', '#D55E00'],
  ['encode_us', 'encode', '#E69F00'], ['uplink_us', 'uplink', '#56B4E9'],
  ['queue_us', 'queue (edge)', '#F0E442'], ['tail_us', 'tail (edge, or device)', '#009E73'],
  ['downlink_us', 'downlink', '#0072B2']];

const modelOf = name => data.models.find(model => model.name === name) ||
  { name, last_cut: -1, candidates: [] };
const cutName = (model, cut) => cut === 0 ? 'edge' : cut === modelOf(model).last_cut ? 'device'
  : `cut ${cut}`;
// The turns with `dynamic` are the later and fairer measurement where a cut has both.
const measuredOf = cut => cut.final_latency.n > 0 ? cut.final_latency : cut.latency;
const timeOf = cut => cut.measured ? measuredOf(cut).mean_us : cut.predicted_us;

function header() {
  const meta = data.meta;
  page.append(el('h1', {}, 'Dynamic split computing, measured'));
  page.append(el('p', { class: 'soft' },
    `cleave ${meta.cleave} · ONNX Runtime ${meta.onnxruntime} · ${meta.machine} · ${meta.started}`));
  if (!meta.complete) {
    page.append(el('div', { class: 'warning' }, `Partial run: ${data.points.length} of ` +
      `${meta.points_planned} grid points were measured before the time budget ended.`));
  }
  if (!meta.device_share_enforced) {
    page.append(el('div', { class: 'warning' }, 'The device was not slowed: setting a CPU quota ' +
      'was not permitted, so device and edge are equally fast here.'));
  }
}

const pointsOf = want => data.points.filter(point =>
  Object.entries(want).every(([key, value]) => point[key] === value));
const gridSpec = () => ({
  model: { label: 'model', values: unique(data.points.map(p => p.model)) },
  batch: { label: 'batch', values: numeric(data.points.map(p => p.batch)) },
  load: { label: 'edge', values: unique(data.points.map(p => p.load)) },
});

// The one cut that is best when summed (as logarithms) over the rates of a curve.
function bestSingleCut(points) {
  const sums = new Map();
  for (const point of points) {
    for (const cut of point.cuts) {
      const sum = sums.get(cut.cut) || { n: 0, log: 0 };
      sums.set(cut.cut, { n: sum.n + 1, log: sum.log + Math.log(Math.max(1, timeOf(cut))) });
    }
  }
  const full = [...sums].filter(([, sum]) => sum.n === points.length);
  full.sort((a, b) => a[1].log - b[1].log);
  return full.length ? full[0][0] : null;
}

function latencyAgainstRate() {
  if (!data.points.length) return;
  const node = section('Latency against rate', 'Medians with quartiles; both axes logarithmic. A ' +
    'hollow mark is predicted, not measured: one inference would have taken too long. "Best fixed" ' +
    'is the best cut of each rate by brute force, a different one at each; grey is the one cut ' +
    'that is best over all the rates shown.');
  let target;
  const update = selectors(node, gridSpec(), choice => {
    const points = pointsOf(choice).sort((a, b) => a.rate_bps - b.rate_bps);
    const single = bestSingleCut(points);
    const fixed = pick => points.map(point => [point, point.cuts.find(pick(point))])
      .filter(([, cut]) => cut).map(([point, cut]) => ({
        x: point.rate_bps / 1e6, us: timeOf(cut), measured: cut.measured, n: measuredOf(cut).n,
        low: measuredOf(cut).p25_us, high: measuredOf(cut).p75_us, cut: cut.cut }));
    const last = modelOf(choice.model).last_cut;
    const series = [
      ['edge only', COLORS.edge, fixed(() => cut => cut.cut === 0), 'triangle'],
      ['device only', COLORS.device, fixed(() => cut => cut.cut === last), 'rect'],
      [`one fixed cut (${single})`, COLORS.other, fixed(() => cut => cut.cut === single), 'diamond'],
      ['best fixed', COLORS.best, fixed(point => cut => cut.cut === point.best_cut), 'roundRect'],
      ['dynamic', COLORS.dynamic, points.filter(p => p.dynamic.latency.n).map(p => ({
        x: p.rate_bps / 1e6, us: p.dynamic.latency.mean_us, measured: true,
        n: p.dynamic.latency.n, low: p.dynamic.latency.p25_us, high: p.dynamic.latency.p75_us,
        cut: p.dynamic.samples.length ? p.dynamic.samples[p.dynamic.samples.length - 1].cut : 0 })),
      'circle'],
    ];
    draw(target, {
      legend: { top: 6 },
      tooltip: { trigger: 'item', confine: true, formatter: p => p.data.html || '' },
      xAxis: { type: 'log', name: 'uplink rate (Mbit/s)', nameLocation: 'middle', nameGap: 32,
        min: 0.8, max: 400, minorSplitLine: { show: false },
        axisLabel: { formatter: v => (v < 1 || v > 300) ? '' : String(+v.toPrecision(3)) } },
      yAxis: { type: 'log', name: 'latency (ms)', axisLabel: { formatter: v => String(+v.toPrecision(3)) } },
      series: series.flatMap(([name, color, values, symbol]) => [{
        name, type: 'line', symbol, symbolSize: name === 'dynamic' ? 10 : 8,
        lineStyle: { width: name === 'dynamic' ? 3 : 1.6,
          type: name === 'best fixed' ? 'dashed' : 'solid' }, color,
        z: name === 'dynamic' ? 5 : 3,
        data: values.map(v => ({ value: [v.x, ms(v.us)],
          itemStyle: v.measured ? { color } : { color: '#fff', borderColor: color, borderWidth: 2 },
          html: `<b>${escapeHtml(name)}</b> at ${v.x} Mbit/s<br>${time(v.us)}` + (v.measured
            ? ` (quartiles ${time(v.low)} to ${time(v.high)}, n = ${v.n})` : ' (predicted)') +
            `<br>${escapeHtml(cutName(choice.model, v.cut))}` })),
      }, {
        name, type: 'custom', color, silent: true, z: 2,
        renderItem: (params, api) => {
          const x = api.coord([api.value(0), api.value(1)])[0];
          const low = api.coord([api.value(0), api.value(1)])[1];
          const high = api.coord([api.value(0), api.value(2)])[1];
          return { type: 'line', shape: { x1: x, x2: x, y1: low, y2: high },
            style: { stroke: color, lineWidth: 5, opacity: 0.3 } };
        },
        data: values.filter(v => v.measured && v.low > 0).map(v => [v.x, ms(v.low), ms(v.high)]),
      }]),
    });
  });
  target = chart(node, 'tall');
  update();
}

const mix = (from, to, t) => `rgb(${from.map((v, i) => Math.round(v + (to[i] - v) * t)).join(',')})`;
const heatTable = (columns, rows, columnText, rowText, cell) => {
  const head = el('tr', {}, el('th', {}, 'Mbit/s'));
  columns.forEach(column => head.append(el('th', {}, columnText(column))));
  const body = el('tbody');
  for (const row of rows) {
    const line = el('tr', {}, el('th', {}, rowText(row)));
    for (const column of columns) {
      const made = cell(column, row);
      const node = el('td', made ? { style: `background:${made.color};color:${made.ink}`,
        title: made.title } : { class: 'empty' }, made ? made.text : '·');
      if (made && made.small) node.append(el('small', {}, made.small));
      line.append(node);
    }
    body.append(line);
  }
  return el('div', { class: 'scroll' }, el('table', { class: 'heat' }, el('thead', {}, head), body));
};

function bestCutMap() {
  if (!data.points.length) return;
  const node = section('Optimal cut over rate and batch', 'The fastest cut by brute force at each ' +
    'point: 0 is the input (all on the edge), the highest index is the output (all on the device). ' +
    'Darker is deeper. Below it, the median latency; ≈ marks a best cut that is only predicted.');
  const rates = numeric(data.points.map(p => p.rate_bps));
  const maps = el('div', { class: 'maps' });
  node.append(maps);
  for (const model of unique(data.points.map(p => p.model))) {
    for (const load of unique(data.points.map(p => p.load))) {
      const points = pointsOf({ model, load });
      if (!points.length) continue;
      const candidates = modelOf(model).candidates;
      maps.append(el('div', {}, el('h3', {}, `${model}, edge ${load}`), heatTable(rates,
        numeric(points.map(p => p.batch)), v => `${v / 1e6}`, v => `batch ${v}`, (rateBps, batch) => {
          const point = points.find(p => p.rate_bps === rateBps && p.batch === batch);
          if (!point || point.best_cut < 0) return null;
          const best = point.cuts.find(cut => cut.cut === point.best_cut);
          const depth = candidates.indexOf(point.best_cut) / Math.max(1, candidates.length - 1);
          return { color: mix([222, 235, 247], [8, 48, 107], depth), ink: depth > .45 ? '#fff' : '#123',
            text: `${best && !best.measured ? '≈' : ''}${point.best_cut}`, small: time(point.best_us),
            title: `${cutName(model, point.best_cut)} at ${rate(rateBps)}, batch ${batch}: ` +
              `${time(point.best_us)}\n${best ? best.tensors : ''}` };
        })));
    }
  }
}

function regretMap() {
  if (!data.points.some(p => p.regret > 0)) return;
  const node = section('Regret of dynamic', 'Mean latency of dynamic ÷ mean of the best fixed ' +
    'cut, both measured in turns at the same point. 1.00 is perfect; below 1 is noise. Below it, the ' +
    'cuts that dynamic chose.');
  const rates = numeric(data.points.map(p => p.rate_bps));
  const maps = el('div', { class: 'maps' });
  node.append(maps);
  for (const model of unique(data.points.map(p => p.model))) {
    for (const load of unique(data.points.map(p => p.load))) {
      const points = pointsOf({ model, load });
      if (!points.length) continue;
      maps.append(el('div', {}, el('h3', {}, `${model}, edge ${load}`), heatTable(rates,
        numeric(points.map(p => p.batch)), v => `${v / 1e6}`, v => `batch ${v}`, (rateBps, batch) => {
          const point = points.find(p => p.rate_bps === rateBps && p.batch === batch);
          if (!point || !(point.regret > 0)) return null;
          const over = Math.max(-1, Math.min(1, (point.regret - 1) / .2));
          return { color: over >= 0 ? mix([247, 247, 247], [202, 60, 50], over)
            : mix([247, 247, 247], [67, 147, 195], -over), ink: Math.abs(over) > .65 ? '#fff' : '#222',
            text: point.regret.toFixed(2),
            small: unique(point.dynamic.samples.map(s => s.cut)).length > 2 ? 'mixed'
              : unique(point.dynamic.samples.map(s => s.cut)).join('/'),
            title: `${rate(rateBps)}, batch ${batch}: dynamic ${time(point.dynamic.latency.mean_us)} ` +
              `(n = ${point.dynamic.latency.n}), best ${cutName(model, point.best_cut)} ` +
              `${time(point.best_us)}` };
        })));
    }
  }
}

function phasesByCut() {
  if (!data.points.length) return;
  const node = section('Where the time goes, by cut', 'Mean time of each phase at each candidate ' +
    'cut. A pale bar is a predicted total. The arrow marks the cut that was best.');
  const spec = gridSpec();
  spec.rate = { label: 'rate', values: numeric(data.points.map(p => p.rate_bps)), text: rate };
  spec.rate.initial = spec.rate.values[Math.floor(spec.rate.values.length / 2)];
  let target;
  const update = selectors(node, spec, choice => {
    const point = pointsOf({ model: choice.model, batch: choice.batch, load: choice.load,
      rate_bps: choice.rate })[0];
    const cuts = point ? point.cuts : [];
    draw(target, {
      title: point ? undefined : { text: 'this point was not measured', left: 'center', top: 'middle',
        textStyle: { color: '#8894a0', fontWeight: 'normal' } },
      legend: { top: 6 },
      tooltip: { trigger: 'axis', confine: true, formatter: items => {
        const cut = cuts[items[0].dataIndex];
        return `<b>${escapeHtml(cutName(choice.model, cut.cut))}</b> ${escapeHtml(cut.tensors)}<br>` +
          `${bytes(cut.bytes_up)} up, ` + (cut.measured ? `median ${time(cut.latency.median_us)}, ` +
          `n = ${cut.latency.n}; predicted ${time(cut.predicted_us)}`
            : `predicted ${time(cut.predicted_us)}`) + '<br>' + PHASES.filter(([key]) =>
            cut.measured && cut.phases[key] > 0).map(([key, label]) => `${label}: ${time(cut.phases[key])}`)
            .join('<br>');
      } },
      xAxis: { type: 'category', data: cuts.map(cut => cutName(choice.model, cut.cut) +
        (point && cut.cut === point.best_cut ? '\n▲ best' : '')), axisLabel: { interval: 0,
          rotate: cuts.length > 12 ? 50 : 0, fontSize: cuts.length > 12 ? 10 : 12 } },
      yAxis: { type: 'value', name: 'ms' },
      grid: { left: 68, right: 24, top: 60, bottom: 70 },
      series: PHASES.map(([key, label, color]) => ({ name: label, type: 'bar', stack: 'phase', color,
        barMaxWidth: 46, data: cuts.map(cut => cut.measured ? ms(cut.phases[key]) : 0) }))
        .concat([{ name: 'predicted', type: 'bar', stack: 'phase', color: '#dfe5ea', barMaxWidth: 46,
          itemStyle: { borderColor: '#8894a0', borderType: 'dashed' },
          data: cuts.map(cut => cut.measured ? 0 : ms(cut.predicted_us)) }]),
    });
  });
  target = chart(node);
  update();
}

const ENCODINGS = [['fp32', '#444444', 'circle'], ['fp16', '#0072B2', 'rect'],
  ['q8', '#009E73', 'triangle'], ['q4', '#E69F00', 'diamond'], ['q2', '#D55E00', 'roundRect'],
  ['jpeg', '#CC79A7', 'pin']];
const isLossy = encoding => encoding !== 'fp32' && encoding !== 'jpeg';
const choiceOf = (at, encoding) => at.choices.find(choice => choice.encoding === encoding);

function pictureText(picture) {
  if (!(picture.bytes > 0)) return `No JPEG to compare with: ${picture.note || 'no picture'}.`;
  const source = picture.made_up ? `the JPEG, quality 90, of a made-up smooth picture of ` +
    `${picture.height} × ${picture.width}` : 'the size given by --picture-size';
  return `JPEG: ${bytes(picture.bytes)} for each picture (${source}); decoding it, ` +
    `${time(picture.decode_us)} each, was measured on this machine at full speed and is in the ` +
    'time of the JPEG alone.';
}

function encodingsTable(forecast) {
  const present = ENCODINGS.filter(([encoding]) =>
    forecast.rates.some(at => choiceOf(at, encoding)));
  const head = el('tr', {}, el('th', {}, 'Mbit/s'), el('th', { class: 'number' }, 'device alone'));
  for (const [encoding] of present) {
    const cell = el('th', { class: 'number' }, encoding);
    if (isLossy(encoding) && !forecast.calibrated) {
      cell.append(el('div', { class: 'soft' }, 'accuracy not calibrated'));
    }
    head.append(cell);
  }
  const body = el('tbody');
  for (const at of forecast.rates) {
    const least = Math.min(...at.choices.map(choice => choice.predicted_us));
    const line = el('tr', {}, el('th', {}, `${+(at.rate_bps / 1e6).toPrecision(3)}`),
      el('td', { class: forecast.device_us <= least ? 'number best' : 'number' },
        time(forecast.device_us)));
    for (const [encoding] of present) {
      const choice = choiceOf(at, encoding);
      const cell = el('td', { class: choice && choice.predicted_us <= least ? 'number best'
        : 'number' }, choice ? time(choice.predicted_us) : '·');
      if (choice) {
        const sent = choice.bytes_up > 0 ? `, ${bytes(choice.bytes_up)}` : '';
        const worth = choice.accuracy >= 0 ? `, ${(100 * choice.accuracy).toFixed(1)}%`
          : isLossy(encoding) && choice.bytes_up > 0 && forecast.calibrated
            ? ', accuracy not calibrated' : '';
        cell.append(el('div', { class: 'soft' },
          `${encoding === 'jpeg' ? 'edge' : cutName(forecast.model, choice.cut)}${sent}${worth}`));
      }
      line.append(cell);
    }
    body.append(line);
  }
  return el('div', { class: 'scroll' },
    el('table', {}, el('thead', {}, head), body));
}

function encodingsByRate() {
  const all = data.encodings || [];
  if (!all.length) return;
  const node = section('Fewer bits, and sending the JPEG', 'Predicted, not measured: the cut with ' +
    'the least time for each encoding at each rate, by the measured profiles of both machines, the ' +
    'true rate and an idle edge. Cut 0 sends the input, the highest cut runs all on the device. The ' +
    'JPEG is a file that is there already, sent in place of the input.');
  let target;
  const words = el('div');
  const update = selectors(node, {
    model: { label: 'model', values: unique(all.map(f => f.model)) },
    batch: { label: 'batch', values: numeric(all.map(f => f.batch)) },
  }, choice => {
    const forecast = all.find(f => f.model === choice.model && f.batch === choice.batch);
    words.replaceChildren();
    if (!forecast) {
      draw(target, { title: { text: 'not predicted', left: 'center', top: 'middle',
        textStyle: { color: '#8894a0', fontWeight: 'normal' } } });
      return;
    }
    const jpegWins = forecast.rates.map(at => {
      const jpeg = choiceOf(at, 'jpeg');
      return jpeg && at.choices.every(other => other === jpeg ||
        jpeg.predicted_us < other.predicted_us);
    });
    draw(target, {
      legend: { top: 6 },
      tooltip: { trigger: 'item', confine: true, formatter: p => (p.data && p.data.html) || '' },
      xAxis: { type: 'category', name: 'uplink rate (Mbit/s); shaded: sending the JPEG is fastest',
        nameLocation: 'middle', nameGap: 32,
        data: forecast.rates.map(at => String(+(at.rate_bps / 1e6).toPrecision(3))) },
      yAxis: { type: 'value', name: 'best cut (index)', min: 0,
        max: Math.max(1, forecast.last_cut), minInterval: 1 },
      series: ENCODINGS.filter(([encoding]) => forecast.rates.some(at => choiceOf(at, encoding)))
        .map(([encoding, color, symbol], i) => ({ name: encoding, type: 'line', color, symbol,
          symbolSize: 14 - 1.5 * i, lineStyle: { width: 6 - i * .9,
            type: encoding === 'jpeg' ? 'dashed' : 'solid' }, z: 3 + i,
          data: forecast.rates.map(at => {
            const best = choiceOf(at, encoding);
            return best ? { value: best.cut, html: `<b>${escapeHtml(encoding)}</b> at ` +
              `${rate(at.rate_bps)}: ${escapeHtml(cutName(forecast.model, best.cut))}<br>` +
              `${time(best.predicted_us)} predicted, ${bytes(best.bytes_up)} up` } : null;
          }) }))
        .concat([{ name: 'JPEG fastest', type: 'bar', silent: true, z: 1, barWidth: '100%',
          color: 'rgba(204,121,167,.14)',
          data: jpegWins.map(wins => wins ? Math.max(1, forecast.last_cut) : 0) }]),
    });
    for (const sentence of forecast.sentences || []) words.append(el('p', {}, sentence));
    words.append(el('p', { class: 'soft' }, pictureText(forecast.picture)),
      encodingsTable(forecast));
  });
  target = chart(node);
  node.append(words);
  update();
}

function predictedAgainstMeasured() {
  const samples = data.points.flatMap(point => point.dynamic.samples.filter(s => !s.fallback)
    .map(s => ({ point, s })));
  if (!samples.length) return;
  const node = section('Predicted against measured', 'Each inference of dynamic in the grid: what ' +
    'the policy expected when it decided, and what it took. The line is equality.');
  const target = chart(node);
  const models = unique(samples.map(({ point }) => point.model));
  const values = samples.flatMap(({ s }) => [ms(s.predicted_us), ms(s.latency_us)]).filter(v => v > 0);
  const low = Math.min(...values) * .8, high = Math.max(...values) * 1.25;
  const palette = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9'];
  draw(target, {
    legend: { top: 6 },
    tooltip: { trigger: 'item', formatter: p => p.data.html || '' },
    xAxis: { type: 'log', name: 'predicted (ms)', nameLocation: 'middle', nameGap: 32, min: low,
      max: high, axisLabel: { formatter: v => String(+v.toPrecision(2)) } },
    yAxis: { type: 'log', name: 'measured (ms)', min: low, max: high,
      axisLabel: { formatter: v => String(+v.toPrecision(2)) } },
    series: models.map((model, i) => ({ name: model, type: 'scatter', symbolSize: 6,
      color: palette[i % palette.length], itemStyle: { opacity: .55 },
      data: samples.filter(({ point }) => point.model === model).map(({ point, s }) => ({
        value: [ms(s.predicted_us), ms(s.latency_us)],
        html: `${escapeHtml(model)}, ${rate(point.rate_bps)}, batch ${point.batch}, edge ` +
          `${escapeHtml(point.load)}<br>${escapeHtml(cutName(model, s.cut))}: predicted ` +
          `${time(s.predicted_us)}, took ${time(s.latency_us)}` })) }))
      .concat([{ type: 'line', data: [[low, low], [high, high]], symbol: 'none', silent: true,
        lineStyle: { color: '#444', width: 1, type: 'dashed' } }]),
  });
}

const cutAxis = model => ({ type: 'value', name: 'cut index', min: 0,
  max: Math.max(1, modelOf(model).last_cut), position: 'right', splitLine: { show: false } });

function stepResponse() {
  for (const step of data.steps) {
    if (!step.timeline.length) continue;
    const node = section(`Step response, ${step.model}`, `The uplink jumps between ` +
      `${rate(step.high_bps)} and ${rate(step.low_bps)}. Dots: latency of each inference. Line: the ` +
      'cut that was chosen. Grey: the rate.');
    const seconds = us => us / 1e6;
    const end = seconds(step.timeline[step.timeline.length - 1].start_us);
    const rates = [[0, step.high_bps / 1e6], ...step.changes.map(c => [seconds(c.t_us), c.rate_bps / 1e6])];
    rates.push([end, rates[rates.length - 1][1]]);
    draw(chart(node), {
      legend: { top: 6 },
      tooltip: { trigger: 'item', formatter: p => p.data.html || '' },
      xAxis: { type: 'value', name: 's', min: 0, max: Math.ceil(end) },
      yAxis: [{ type: 'value', name: 'latency (ms)' }, cutAxis(step.model),
        { type: 'value', show: false, min: 0, max: step.high_bps / 1e6 * 1.05 }],
      series: [
        { name: 'rate', type: 'line', step: 'end', yAxisIndex: 2, symbol: 'none', color: COLORS.rate,
          lineStyle: { width: 0 }, areaStyle: { color: '#dfe5ea', opacity: .7 }, data: rates, silent: true },
        { name: 'latency', type: 'scatter', symbolSize: 6, color: COLORS.dynamic,
          data: step.timeline.map(s => ({ value: [seconds(s.start_us), ms(s.latency_us)],
            html: `${time(s.latency_us)} (predicted ${time(s.predicted_us)})<br>` +
              `${escapeHtml(cutName(step.model, s.cut))}, ran: ${escapeHtml(s.where)}<br>believed ` +
              `${rate(s.link_up_bps)}` })) },
        { name: 'cut', type: 'line', step: 'end', yAxisIndex: 1, symbol: 'none', color: COLORS.device,
          lineStyle: { width: 1.5 }, data: step.timeline.map(s => [seconds(s.start_us), s.cut]) },
      ],
    });
    const body = el('tbody');
    for (const change of step.changes) {
      body.append(el('tr', {}, el('td', {}, `to ${rate(change.rate_bps)}`),
        el('td', {}, change.right_cuts.map(c => cutName(step.model, c)).join(', ')),
        el('td', { class: 'number' }, change.settled ? String(change.wrong_inferences) : 'never'),
        el('td', { class: 'number' }, change.settled ? `${change.seconds.toFixed(2)} s` : 'never')));
    }
    node.append(el('table', {}, el('thead', {}, el('tr', {}, el('th', {}, 'change'),
      el('th', {}, 'right cuts (within 5% of the best by brute force)'),
      el('th', { class: 'number' }, 'inferences at another cut'),
      el('th', { class: 'number' }, 'time to the right cut'))), body));
  }
}

function traceRuns() {
  for (const trace of data.traces) {
    if (!trace.runs.length) continue;
    const node = section(`A run through a trace: ${trace.name}`, `${trace.model}, batch ${trace.batch}, ` +
      `${trace.seconds.toFixed(0)} s, mean ${rate(trace.mean_bps)}` +
      (trace.made_up ? '; a made-up trace, not a recording' : '') +
      '. Each policy runs the trace from its start. Select policies in the legend.');
    const shown = { 'link rate': true };
    trace.runs.forEach((run, i) => { shown[run.policy] = ['dynamic', 'device', 'edge'].includes(run.policy) || i < 3; });
    const colors = { dynamic: COLORS.dynamic, device: COLORS.device, edge: COLORS.edge };
    const spare = ['#009E73', '#E69F00', '#56B4E9', '#8894a0'];
    const seconds = us => us / 1e6;
    draw(chart(node, 'tall'), {
      legend: { top: 6, selected: shown },
      tooltip: { trigger: 'item', formatter: p => p.data.html || '' },
      xAxis: { type: 'value', name: 's', min: 0, max: Math.ceil(trace.seconds) },
      yAxis: [{ type: 'log', name: 'latency (ms)', axisLabel: { formatter: v => String(+v.toPrecision(2)) } },
        { type: 'value', name: 'Mbit/s', position: 'right', splitLine: { show: false } }],
      series: [{ name: 'link rate', type: 'line', step: 'end', yAxisIndex: 1, symbol: 'none',
        color: COLORS.rate, lineStyle: { width: 0 }, areaStyle: { color: '#dfe5ea', opacity: .8 },
        silent: true, data: trace.rate_bps.map((bps, i) => [i, bps / 1e6]) }].concat(
        trace.runs.map((run, i) => ({ name: run.policy, type: 'line', symbolSize: 4, showSymbol: true,
          color: colors[run.policy] || spare[i % spare.length],
          lineStyle: { width: run.policy === 'dynamic' ? 2 : 1 }, z: run.policy === 'dynamic' ? 5 : 3,
          data: run.timeline.map(s => ({ value: [seconds(s.start_us), Math.max(.01, ms(s.latency_us))],
            html: `<b>${escapeHtml(run.policy)}</b><br>${time(s.latency_us)}, ` +
              `${escapeHtml(cutName(trace.model, s.cut))}` +
              (s.fallback ? `<br>fell back: ${escapeHtml(s.fallback)}` : '') })) }))),
    });
    const dynamic = trace.runs.find(run => run.policy === 'dynamic');
    const body = el('tbody');
    for (const run of trace.runs) {
      body.append(el('tr', {}, el('td', {}, run.policy), el('td', { class: 'number' }, String(run.inferences)),
        el('td', { class: 'number' }, time(run.mean_us)), el('td', { class: 'number' }, time(run.median_us)),
        el('td', { class: 'number' }, time(run.p95_us)), el('td', { class: 'number' },
          dynamic && run.mean_us > 0 ? (dynamic.mean_us / run.mean_us).toFixed(3) : '')));
    }
    node.append(el('table', {}, el('thead', {}, el('tr', {}, el('th', {}, 'policy'),
      ...['inferences', 'mean', 'median', 'p95', 'dynamic ÷ this (means)'].map(t =>
        el('th', { class: 'number' }, t)))), body));
  }
}

function kills() {
  const result = data.kills;
  if (!result.timeline.length) return;
  const node = section('The edge is killed and restarted', `${result.kills} times while ${result.model} ` +
    `runs without pause: ${result.inferences} inferences, ${result.lost} lost, ${result.fallbacks} ` +
    `ended on the device after the edge had failed; the edge was taken up again ${result.recoveries} times.`);
  const seconds = us => us / 1e6;
  const group = (name, color, pick) => ({ name, type: 'scatter', symbolSize: 5, color,
    data: result.timeline.filter(pick).map(s => ({ value: [seconds(s.start_us), ms(s.latency_us)],
      html: `${time(s.latency_us)}, ${escapeHtml(s.where)}` +
        (s.fallback ? `<br>${escapeHtml(s.fallback)}` : '') })) });
  draw(chart(node), {
    legend: { top: 6 },
    tooltip: { trigger: 'item', confine: true, formatter: p => (p.data && p.data.html) || '' },
    xAxis: { type: 'value', name: 's', min: 0 }, yAxis: { type: 'value', name: 'latency (ms)' },
    series: [
      { ...group('with the edge', COLORS.best, s => !s.fallback && s.where !== 'device'),
        markLine: { silent: true, symbol: 'none', label: { show: false },
          lineStyle: { color: '#b3261e', type: 'dotted' },
          data: result.killed_at_us.map(t => ({ xAxis: seconds(t) })) } },
      group('planned on the device', COLORS.device, s => !s.fallback && s.where === 'device'),
      group('fell back', '#b3261e', s => s.fallback)],
  });
}

function method() {
  const meta = data.meta;
  const node = section('Machine and method');
  const list = el('dl');
  const add = (name, value) => list.append(el('dt', {}, name), el('dd', {}, value));
  add('command', el('code', {}, meta.command));
  add('machine', `${meta.machine}, ${meta.cores} cores`);
  add('run', `${meta.started} to ${meta.finished || 'unfinished'}; seed ${meta.seed}`);
  add('link', `${meta.link}; round trip of the idle link ${time(meta.link_rtt_us)}`);
  add('device', meta.device_share_enforced ? `CPU quota of ${meta.device_share} of a core` +
    (meta.device_slowdown ? `; the whole model runs ${meta.device_slowdown.toFixed(2)} times slower ` +
    'than on the edge' : '') : 'not slowed');
  add('edge, busy', `other clients keep it ${(meta.busy_utilization * 100).toFixed(0)}% occupied (open loop)`);
  add('brute force', `every candidate cut in turns, up to ${meta.repeats} times; cuts slower than ` +
    `twice the best are not repeated; above ${time(meta.predict_only_above_us)} predicted only`);
  add('dynamic', `runs in a process of its own that sees no other policy's traffic; ${meta.warmup} ` +
    `inferences of warm-up, after two seconds without any, are not counted when the point changes; then in turns with the ` +
    `best cuts, up to ${meta.final_repeats} times`);
  const spreads = data.points.flatMap(p => p.cuts.filter(c => c.latency.n > 2 && c.latency.median_us > 0)
    .map(c => (c.latency.p75_us - c.latency.p25_us) / c.latency.median_us)).sort((a, b) => a - b);
  if (spreads.length) add('spread', `(p75 − p25) / median over ${spreads.length} measured cuts: median ` +
    `${(spreads[Math.floor(spreads.length / 2)] * 100).toFixed(1)}%, worst decile ` +
    `${(spreads[Math.floor(spreads.length * .9)] * 100).toFixed(1)}%`);
  for (const model of data.models) add(model.name, `${model.candidates.length} candidate cuts of ` +
    `${model.last_cut + 1}; SHA-256 ${model.digest.slice(0, 16)}…`);
  node.append(list);
  const problems = data.points.filter(p => p.problem).map(p =>
    `${p.model}, ${rate(p.rate_bps)}, batch ${p.batch}, ${p.load}: ${p.problem}`);
  for (const note of [...meta.notes, ...data.micro.problems, ...problems]) node.append(el('p', {}, '• ', note));
}

header(); goals(); latencyAgainstRate(); bestCutMap(); regretMap(); phasesByCut();
encodingsByRate(); predictedAgainstMeasured(); stepResponse(); traceRuns(); kills(); method();
})();
