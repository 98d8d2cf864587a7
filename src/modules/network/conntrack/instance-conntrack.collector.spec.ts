import { linkSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../../test/fake-proc.js';
import { House } from '../../../../test/house.js';
import { kernelSample } from '../../../../test/kernel-samples.js';
import { descriptorsHeld } from '../../../host/held.js';
import type { InstanceRecord } from '../../../model/instance.js';
import { Outcome } from '../../../model/outcome.js';
import { InstanceConntrackCollector } from './instance-conntrack.collector.js';

const STAT = kernelSample('linux-6.18-conntrack/stat');
const HEAD = 'entries  insert_failed drop early_drop\n';
const hex = (value: number): string => value.toString(16).padStart(8, '0');
const line = (...values: readonly number[]): string => `${values.map(hex).join(' ')}\n`;

let proc: FakeProc;
let house: House;
beforeEach(() => {
  proc = new FakeProc();
  house = new House(proc.host(), (tables, host) => [new InstanceConntrackCollector(tables, host)]);
  house.settings.slowIntervalMs = 0;
  proc.write('1/net/stat/nf_conntrack', STAT);
});
afterEach(async () => {
  await house.close();
  expect(house.defects).toEqual([]);
  proc.close();
});

const file = (pid: number): string => `${pid}/net/stat/nf_conntrack`;
/** As processes in one namespace have it: the same file. */
const share = (pid: number, path: string): void => {
  mkdirSync(dirname(join(proc.root, path)), { recursive: true });
  linkSync(join(proc.root, file(pid)), join(proc.root, path));
};
function run(...vms: readonly (readonly [id: string, pid: number, record?: Partial<InstanceRecord>])[]): Promise<void> {
  house.told.records = vms.map(([id, pid, record]) => ({ hypervisor: 'qemu', process: { pid, startTicks: 271431 }, ...record, id }));
  return house.turn();
}
async function turn(): Promise<void> {
  proc.clock.ms += 60_000;
  await house.turn();
}
const rowOf = (id: string): number => [...house.registry.all()].find((one) => one.id === id)?.row ?? expect.fail(`no ${id}`);
const cell = (id: string, place: string): number =>
  house.tables.instances.columns.find(({ metric }) => metric.json === place)?.front[rowOf(id)] ?? expect.fail(`no ${place}`);
const outcome = (id: string): number => cell(id, 'collectors.instance_conntrack.outcome');
const counts = (id: string): readonly number[] =>
  ['entries', 'insert_failed', 'drop', 'early_drop'].map((word) => cell(id, `network.conntrack.${word}`));
const NOTHING = [Number.NaN, Number.NaN, Number.NaN, Number.NaN];

describe('connections of a VM', () => {
  it('are those of its own network namespace, counters of all CPUs together', async () => {
    proc.addProcess(100);
    proc.write(file(100), HEAD + line(7, 1, 2, 3) + line(7, 10, 20, 30));
    await run(['one', 100]);
    expect([outcome('one'), ...counts('one')]).toEqual([Outcome.ok, 7, 11, 22, 33]);
  });

  it('of none are 0 where a namespace has none', async () => {
    proc.addProcess(100);
    proc.write(file(100), HEAD + line(0, 0, 0, 0));
    await run(['one', 100]);
    expect([outcome('one'), ...counts('one')]).toEqual([Outcome.ok, 0, 0, 0, 0]);
  });

  it('are not those of the host', async () => {
    proc.addProcess(100);
    share(1, file(100));
    await run(['one', 100]);
    expect([outcome('one'), ...counts('one')]).toEqual([Outcome.unsupported, ...NOTHING]);
  });

  it('are nobody’s while two VMs are in one namespace, from the first sweep on, and one’s when the other has left', async () => {
    for (const pid of [100, 200]) proc.addProcess(pid);
    proc.write(file(100), STAT);
    share(100, file(200));
    await run(['one', 100], ['two', 200]);
    for (const id of ['one', 'two']) expect([outcome(id), ...counts(id)]).toEqual([Outcome.unsupported, ...NOTHING]);
    await run(['one', 100]);
    await turn();
    expect([outcome('one'), counts('one')[0]]).toEqual([Outcome.ok, 10]);
  });

  it('are those of the threads that are the VMM, where it is in another program that is in the host’s namespace', async () => {
    proc.addProcess(100);
    share(1, file(100));
    share(1, '100/task/100/net/stat/nf_conntrack');
    proc.write('100/task/105/net/stat/nf_conntrack', HEAD + line(9, 0, 0, 4));
    await run(['one', 100, { sandbox: { vmmInShim: true } }]);
    expect([outcome('one'), ...counts('one')]).toEqual([Outcome.ok, 9, 0, 0, 4]);
    await run(['one', 100, { sandbox: { vmmInShim: false } }]);
    await turn();
    expect(outcome('one')).toBe(Outcome.unsupported);
  });

  it('lack what the kernel does not count', async () => {
    proc.addProcess(100);
    proc.write(file(100), `entries  drop\n${line(3, 4)}`);
    await run(['one', 100]);
    expect([outcome('one'), ...counts('one')]).toEqual([Outcome.ok, 3, Number.NaN, 4, Number.NaN]);
  });

  it('go on growing when 32 bits are full', async () => {
    proc.addProcess(100);
    proc.write(file(100), HEAD + line(1, 0, 2 ** 32 - 1, 0) + line(1, 0, 5, 0));
    await run(['one', 100]);
    expect(counts('one')[2]).toBe(2 ** 32 + 4);
    proc.write(file(100), HEAD + line(1, 0, 1, 0) + line(1, 0, 6, 0));
    await turn();
    expect(counts('one')[2]).toBe(2 ** 32 + 7);
  });

  it('go on from where they were when the kernel counts anew', async () => {
    proc.addProcess(100);
    proc.write(file(100), HEAD + line(1, 0, 50, 0));
    await run(['one', 100]);
    proc.write(file(100), HEAD + line(1, 0, 3, 0));
    await turn();
    expect(counts('one')[2]).toBe(53);
  });

  it('are counted anew in another namespace', async () => {
    proc.addProcess(100);
    proc.write(file(100), HEAD + line(1, 0, 50, 0));
    await run(['one', 100]);
    proc.write('100/net/stat/another', HEAD + line(1, 0, 3, 0));
    renameSync(join(proc.root, '100/net/stat/another'), join(proc.root, file(100)));
    await turn();
    expect(counts('one')[2]).toBe(3);
  });

  it.each([
    ['unsupported, where the kernel tracks them and does not tell', true, Outcome.unsupported],
    ['not configured, where it tracks none', false, Outcome.notConfigured],
  ])('are %s', async (_, isTracking, expected) => {
    proc.addProcess(100);
    if (isTracking) proc.write('sys/net/netfilter/nf_conntrack_count', '1\n');
    await run(['one', 100]);
    expect([outcome('one'), ...counts('one')]).toEqual([expected, ...NOTHING]);
  });

  it('are not shown where they might be the host’s: init cannot be seen', async () => {
    proc.addProcess(100);
    proc.write(file(100), STAT);
    rmSync(join(proc.root, '1'), { recursive: true });
    await run(['one', 100]);
    expect([outcome('one'), ...counts('one')]).toEqual([Outcome.notPermitted, ...NOTHING]);
  });

  it('keep no file open', async () => {
    for (const pid of [100, 200]) proc.addProcess(pid);
    proc.write(file(100), STAT);
    share(1, file(200));
    await run(['one', 100], ['two', 200, { sandbox: { vmmInShim: true } }]);
    const held = descriptorsHeld();
    for (let n = 0; n < 5; n++) await turn();
    expect(descriptorsHeld()).toBe(held);
  });
});
