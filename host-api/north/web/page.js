/* SPDX-License-Identifier: BSD-3-Clause */
/* The page: what the daemon told last, and rates between that and what it told before. Nothing of it is kept. */
'use strict';

const HISTORY = 300; /* seconds that the charts show */
const HOPS_SHOWN = 20;
const COLOURS = ['#3b8eea', '#d9730d', '#2e9e4f', '#b15fd0', '#d9483b', '#15a0a0', '#a87b1c', '#7a86e8'];
const element = (id) => document.getElementById(id);
const number = new Intl.NumberFormat('en');
let before = null;

/* ---- Showing ---- */

/* The number as it is goes along, for whoever reads the page by a program. */
function show(id, value, text) {
	const at = element(id);

	at.textContent = text !== undefined ? text : number.format(value);
	at.dataset.value = value;
}

function row(cells) {
	const tr = document.createElement('tr');

	for (const cell of cells) {
		const td = document.createElement('td');

		if (cell instanceof Node)
			td.append(cell);
		else
			td.textContent = typeof cell === 'number' ? number.format(cell) : cell;
		tr.append(td);
	}
	return tr;
}

function none(columns, text) {
	const tr = document.createElement('tr');
	const td = document.createElement('td');

	td.colSpan = columns;
	td.className = 'text none';
	td.textContent = text;
	tr.append(td);
	return tr;
}

/* Columns are laid out as their heads are. */
function fill(id, rows, otherwise) {
	const heads = element(id).parentElement.tHead.rows[0].cells;

	for (const tr of rows)
		for (let i = 0; i < heads.length; i++)
			tr.cells[i].className = heads[i].className;
	element(id).replaceChildren(...(rows.length > 0 ? rows : [none(heads.length, otherwise)]));
}

function notice(text) {
	element('notice').textContent = text;
	element('notice').hidden = text === '';
}

function state(name, about) {
	element('state').textContent = name;
	element('state').className = 'state ' + name;
	element('about').textContent = about;
}

/* ---- Numbers ---- */

const sum = (list, of) => list.reduce((total, one) => total + of(one), 0);

/* Per second since the answer before; 0 where there is none, or another daemon has begun to count anew. */
function rate(now, then, seconds) {
	return seconds > 0 && then !== undefined && now >= then ? (now - then) / seconds : 0;
}

function byEngine(workers) {
	const engines = {};

	for (const worker of workers)
		for (const [name, engine] of Object.entries(worker.engines)) {
			engines[name] = engines[name] || { pdus: 0, cycles: 0 };
			engines[name].pdus += engine.pdus;
			engines[name].cycles += engine.cycles;
		}
	return engines;
}

function byReason(workers) {
	const reasons = {};

	for (const worker of workers)
		for (const [name, count] of Object.entries(worker.drops))
			reasons[name] = (reasons[name] || 0) + count;
	return reasons;
}

/* ---- Charts ---- */

class Chart {
	constructor(id) {
		this.at = element(id);
		this.names = [];
		this.times = [];
		this.values = {};
		if (typeof uPlot === 'undefined')
			this.at.textContent = 'Charts are off: this build has no uPlot. All numbers are below.';
	}

	colour(name) {
		return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
	}

	draw() {
		const axis = { stroke: this.colour('--faint'), grid: { stroke: this.colour('--line'), width: 1 },
			ticks: { stroke: this.colour('--line'), width: 1 } };
		const series = this.names.map((name, i) => ({ label: name, stroke: COLOURS[i % COLOURS.length], width: 2,
			points: { show: false } }));

		if (this.plot)
			this.plot.destroy();
		this.at.replaceChildren();
		this.plot = new uPlot({
			width: this.at.clientWidth, height: 220, cursor: { show: false },
			series: [{ label: 'Time' }, ...series],
			axes: [{ ...axis, space: 70, values: (plot, times) => times.map((time) => new Date(time * 1000).toLocaleTimeString('en-GB')) },
				{ ...axis, size: 58, values: (plot, values) => values.map((value) => short(value)) }],
			legend: { live: false },
			scales: { x: { range: () => this.span() }, y: { range: (plot, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
		}, this.data(), this.at);
	}

	/* A minute at the least. */
	span() {
		const last = this.times[this.times.length - 1];

		return [Math.min(this.times[0], last - 60), last];
	}

	data() {
		return [this.times, ...this.names.map((name) => this.values[name])];
	}

	add(time, values) {
		const names = Object.keys(values);
		const fresh = names.filter((name) => !this.names.includes(name));

		if (typeof uPlot === 'undefined')
			return;
		for (const name of fresh)
			this.values[name] = this.times.map(() => null);
		this.names.push(...fresh);
		this.times.push(time);
		for (const name of this.names)
			this.values[name].push(values[name] === undefined ? null : values[name]);
		if (this.times.length > HISTORY) {
			this.times.shift();
			this.names.forEach((name) => this.values[name].shift());
		}
		if (!this.plot || fresh.length > 0)
			this.draw();
		else
			this.plot.setData(this.data());
	}

	resize() {
		if (this.plot)
			this.plot.setSize({ width: this.at.clientWidth, height: 220 });
	}
}

function short(value) {
	for (const [size, unit] of [[1e9, ' G'], [1e6, ' M'], [1e3, ' k']])
		if (value >= size)
			return +(value / size).toPrecision(3) + unit;
	return String(+value.toPrecision(3));
}

const rates = new Chart('rates'), drops = new Chart('drops');

/* ---- Parts ---- */

function showMessages(list) {
	fill('messages', list.map((message) => {
		const progress = document.createElement('progress'), small = document.createElement('span');
		const cell = document.createElement('div');

		/* PDUs that are done, of those that are begun; members that are not begun are known by their number alone. */
		progress.max = Math.max(message.ues, message.created, 1);
		progress.value = message.sent + message.dropped;
		small.className = 'small';
		small.textContent = number.format(message.sent) + ' sent, ' + number.format(message.dropped) + ' dropped, for ' +
			number.format(message.ues) + ' UEs';
		cell.append(progress, small);
		return row([String(message.id), message.gid, cell]);
	}), 'No message is on its way.');
}

function showWorkers(now, then, seconds, workers) {
	const chart = {};

	fill('workers', now.workers.map((worker, i) => {
		const old = then ? then.workers[i] : undefined;
		const all = old ? worker.all_ns - old.all_ns : 0;
		const busy = all > 0 ? 100 * (worker.busy_ns - old.busy_ns) / all : 0;

		for (const [name, engine] of Object.entries(worker.engines))
			if (engine.pdus > 0 || Object.keys(worker.engines).length === 1)
				chart['worker ' + worker.worker + ' ' + name] =
					rate(engine.pdus, old && old.engines[name] ? old.engines[name].pdus : undefined, seconds);
		return row([String(worker.worker), Math.round(rate(worker.sent, old ? old.sent : undefined, seconds)),
			busy.toFixed(1) + ' %', worker.waits_for]);
	}), 'No worker.');
	return chart;
}

function showEngines(now, then, seconds) {
	const old = then ? byEngine(then.workers) : {};

	fill('engines', Object.entries(byEngine(now.workers)).map(([name, engine]) => row([name, engine.pdus,
		Math.round(rate(engine.pdus, old[name] ? old[name].pdus : undefined, seconds)),
		engine.pdus > 0 ? Math.round(engine.cycles / engine.pdus) : '-'])), 'No engine.');
}

function showDrops(now, then, seconds) {
	const reasons = byReason(now.workers), old = then ? byReason(then.workers) : {}, chart = {};
	const rows = [];

	for (const [name, count] of Object.entries(reasons)) {
		const div = document.createElement('div'), dt = document.createElement('dt'), dd = document.createElement('dd');

		dt.textContent = name;
		dd.textContent = number.format(count);
		dd.dataset.value = count;
		div.append(dt, dd);
		rows.push(div);
		if (count > 0)
			chart[name] = rate(count, old[name], seconds);
	}
	element('reasons').replaceChildren(...rows);
	return chart;
}

function showHops(now, then, seconds) {
	const old = {};
	const hops = now.next_hops.map((hop) => ({ ...hop }));

	for (const hop of then ? then.next_hops : [])
		old[hop.address] = hop.sent;
	for (const hop of hops)
		hop.rate = rate(hop.sent, old[hop.address], seconds);
	hops.sort((a, b) => b.rate - a.rate || b.sent - a.sent);
	fill('hops', hops.slice(0, HOPS_SHOWN).map((hop) => row([hop.address, hop.sent, Math.round(hop.rate), hop.stopped ? 'stopped' : hop.waiting])),
		'No next hop is known.');
	element('more_hops').textContent = now.next_hop_count > HOPS_SHOWN
		? 'The busiest ' + HOPS_SHOWN + ' of ' + number.format(now.next_hop_count) + '; /metrics has more.' : '';
}

function showCensus(census) {
	for (const name of ['window_three_quarters', 'window_full', 'lease_low', 'lease_used', 'unreachable'])
		show(name, census[name], census.age_ms < 0 ? '-' : undefined);
	element('census').textContent = census.age_ms < 0 ? 'Contexts are being counted.'
		: 'Counted ' + (census.age_ms / 1000).toFixed(1) + ' s ago, by a walk of ' + (census.took_ms / 1000).toFixed(1) + ' s.';
}

function showStore(store) {
	show('writes', store.writes);
	show('write_max', store.max_ns, (store.max_ns / 1e6).toFixed(2));
	show('write_mean', store.sum_ns, store.writes > 0 ? (store.sum_ns / store.writes / 1e6).toFixed(2) : '-');
	show('write_failed', store.failed);
	show('checkpoints', store.checkpoints);
}

/* ---- Events ---- */

function uptime(ms) {
	const minutes = Math.floor(ms / 60000);

	return minutes < 1 ? Math.floor(ms / 1000) + ' s' : minutes < 60 ? minutes + ' min' : minutes < 2880 ? Math.floor(minutes / 60) + ' h' : Math.floor(minutes / 1440) + ' days';
}

function take(now) {
	const then = before && now.up && before.uptime_ms <= now.uptime_ms ? before : null;
	const seconds = then ? (now.at_ms - then.at_ms) / 1000 : 0;
	let chart;

	if (!now.up) {
		before = null;
		state('away', '');
		notice('The daemon does not answer. The numbers below are the last that it told.');
		return;
	}
	state(now.state, 'version ' + now.program + ', up for ' + uptime(now.uptime_ms));
	if (now.workers === undefined) {
		notice('The store is being read: ' + number.format(now.loaded) + ' of ' + number.format(now.to_load) + ' UEs.');
		return;
	}
	notice(now.state === 'failed' ? 'The store cannot be written: nothing new is accepted.' : now.link_up ? '' : 'The egress link is down.');
	show('ues', now.ues);
	show('groups', now.groups);
	show('messages_in_flight', now.messages_in_flight);
	show('oldest', now.messages.oldest_ms, (now.messages.oldest_ms / 1000).toFixed(1));
	show('sent', sum(now.workers, (worker) => worker.sent));
	show('dropped', sum(now.workers, (worker) => worker.dropped));
	showMessages(now.messages.in_flight);
	chart = showWorkers(now, then, seconds);
	if (then)
		rates.add(Date.now() / 1000, chart);
	showEngines(now, then, seconds);
	chart = showDrops(now, then, seconds);
	if (then)
		drops.add(Date.now() / 1000, chart);
	showHops(now, then, seconds);
	showCensus(now.census);
	showStore(now.store);
	before = now;
}

const source = new EventSource('/events');

source.addEventListener('metrics', (event) => take(JSON.parse(event.data)));
source.addEventListener('error', () => {
	state('away', '');
	notice('This page has lost its server, or there are as many pages as there may be. It tries again.');
	if (source.readyState === EventSource.CLOSED)
		setTimeout(() => location.reload(), 10000);
});
addEventListener('resize', () => {
	rates.resize();
	drops.resize();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
	for (const chart of [rates, drops])
		if (chart.plot)
			chart.draw();
});
