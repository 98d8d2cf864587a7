// Figures of the shipped code without its HTTP, against the C floor.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child.mjs';
import { HERE } from './machine.mjs';
import { asFraction } from './report.mjs';
import { interleave, median, ratio } from './rounds.mjs';

/** Sweeps or pages in one turn: a turn is then long against the clock's step. */
const TIMES = 5;
/** Turns until the compiler has seen everything. */
const WARM_UP = 10;
const LATENESS_SWEEPS = 60;

export const startHouse = async (dist, executables) => {
  const house = new Child(process.execPath, [join(HERE, 'house.mjs'), dist, executables.join(',')]);
  return { house, facts: await house.askJson('start') };
};

const houseTurn = (house, command) => async () => (await house.askJson(`${command} ${TIMES}`)).us;
const floorTurn = (floor, command) => async () => Number(await floor.ask(`${command} ${TIMES}`)) / 1000;

/** sample, encode, prom-client: one instance table, the floor on the same processes. */
export async function sweepAgainstFloor({ workshop, dist, rounds, report, wants, group }) {
  const floor = new Child(workshop.build('floor.c', 'floor', '-lm'), [group.pidFile]);
  const { house, facts } = await startHouse(dist, [group.executable]);
  try {
    const each = (us) => `${(us / facts.instances).toFixed(2)} µs`;
    if (wants('sample')) {
      const costs = await interleave({ ours: houseTurn(house, 'sample'), floor: floorTurn(floor, 'sample') }, rounds, WARM_UP);
      const note = `per instance ${each(median(costs.ours))}, C ${each(median(costs.floor))}; ${facts.instances} instances; stat, statm, io, fd/`;
      report.figure('sample: sweep against C', ratio(costs.ours, costs.floor), 1.2, { note });
    }
    if (wants('encode')) {
      const check = await samePage(workshop, house, floor);
      const costs = await interleave({ ours: houseTurn(house, 'both'), floor: floorTurn(floor, 'both') }, rounds, WARM_UP);
      const note = `per instance ${each(median(costs.ours))}, C ${each(median(costs.floor))}; ${check}`;
      report.figure('encode: sweep and page against C', ratio(costs.ours, costs.floor), 1.3, { note });
    }
    if (wants('prom-client')) await againstPromClient({ workshop, house, facts, rounds, report });
    if (wants('sample')) {
      const { us } = await house.askJson('rescan 3');
      report.information('rescan of the host, off the path', `${(us / 1000).toFixed(1)} ms`, 'CPU, every discovery.interval');
    }
  } finally {
    await Promise.all([house.stop(), floor.stop()]);
  }
}

/** The floor prints the same page from its numbers. @returns how far the two agree */
async function samePage(workshop, house, floor) {
  const page = workshop.path('page.txt');
  await house.ask(`dump ${page}`);
  const samples = Number(await floor.ask(`load ${page}`));
  const again = workshop.path('again.txt');
  await floor.ask(`check ${again}`);
  const [ours, theirs] = [page, again].map((path) => readFileSync(path, 'utf8').split('\n'));
  const different = ours.filter((line, i) => line !== theirs[i]).length;
  if (different > samples / 1000) throw new Error(`the floor's page differs in ${different} of ${samples} samples`);
  return `${samples} samples, ${different} printed otherwise by C`;
}

async function againstPromClient({ workshop, house, facts, rounds, report }) {
  const page = workshop.path('page.txt');
  await house.ask(`dump ${page}`);
  const client = new Child(process.execPath, [join(HERE, 'prom-client.mjs'), page]);
  const turns = { ours: houseTurn(house, 'encode'), promClient: async () => (await client.askJson('render 1')).us };
  const costs = await interleave(turns, rounds, WARM_UP);
  await client.stop();
  const ns = (us) => `${((us * 1000) / facts.samples).toFixed(0)} ns`;
  const note = `per series ${ns(median(costs.ours))}, prom-client (set and print) ${ns(median(costs.promClient))}; ${facts.samples} series`;
  report.figure('prom-client: one series against it', ratio(costs.ours, costs.promClient), 1 / 25, { show: asFraction, note });
}

/** linear, loop: a table of the first group against one of both groups. */
export async function manyInstances({ dist, rounds, report, wants, groups: [small, more] }) {
  const a = await startHouse(dist, [small.executable]);
  const b = await startHouse(dist, [small.executable, more.executable]);
  try {
    if (wants('linear')) {
      const each =
        ({ house, facts }) =>
        async () =>
          (await house.askJson(`both ${TIMES}`)).us / facts.instances;
      const costs = await interleave({ small: each(a), large: each(b) }, rounds, WARM_UP);
      const us = (values) => `${median(values).toFixed(2)} µs`;
      const note = `sweep and page: ${us(costs.large)} of ${b.facts.instances}, ${us(costs.small)} of ${a.facts.instances}`;
      report.figure('linear: an instance among 3,000 against 1,000', ratio(costs.large, costs.small), 1.15, { note });
    }
    if (wants('loop')) await loopDelay(b, report);
  } finally {
    await Promise.all([a.house.stop(), b.house.stop()]);
  }
}

async function loopDelay({ house, facts }, report) {
  await house.askJson('lateness 10');
  const ms = ({ max, samples, waitedMs }) =>
    `max ${max.toFixed(1)} ms, ${samples} looks at a timer of 1 ms, ${facts.instances} instances; waited ${waitedMs.toFixed(0)} ms for a CPU meanwhile`;
  const sweeps = await house.askJson(`lateness ${LATENESS_SWEEPS}`);
  report.figure('loop: p99 of its delay during sweeps, ms', sweeps.p99, 2, { note: ms(sweeps) });
  const pages = await house.askJson(`latenessWithPage ${LATENESS_SWEEPS / 2}`);
  report.information('with a page after each sweep', `${pages.p99.toFixed(2)} ms`, ms(pages));
}

/** taps: the pass over net/dev and each instance's turn, per interface. */
export async function taps({ workshop, dist, rounds, report, group }) {
  const floor = new Child(workshop.build('floor.c', 'floor', '-lm'), [group.pidFile]);
  const { house, facts } = await startHouse(dist, [group.executable]);
  try {
    const path = `/proc/${group.pids[0]}/net/dev`;
    const floorTurnNet = async () => Number((await floor.ask(`net ${path} ${TIMES}`)).split(' ')[0]) / 1000;
    const costs = await interleave({ ours: houseTurn(house, 'taps'), floor: floorTurnNet }, rounds, WARM_UP);
    const each = (us) => us / facts.interfaces;
    const note = `CPU; ${facts.interfaces} taps in one namespace; ${ratio(costs.ours, costs.floor).toFixed(2)} of C (${each(median(costs.floor)).toFixed(2)} µs)`;
    report.figure('taps: one tap, µs', each(median(costs.ours)), 2.5, { note });
  } finally {
    await Promise.all([house.stop(), floor.stop()]);
  }
}
