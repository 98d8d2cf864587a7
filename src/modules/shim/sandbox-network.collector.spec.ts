import { linkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc, statLine } from '../../../test/fake-proc.js';
import { House } from '../../../test/house.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import { descriptorsHeld } from '../../host/held.js';
import type { Sandbox } from '../../model/instance.js';
import { outcomeWords } from '../../model/outcome.js';
import { MAX_INTERFACES } from './interface-rows.js';
import { NET_DEV_ITEMS } from './net-dev-items.js';
import { SandboxNetworkCollector } from './sandbox-network.collector.js';

const HEAD = kernelSample('qemu-7.2-kvm/net-dev').split('\n').slice(0, 2).join('\n');
const LO = `    lo: ${Array(16).fill(0).join(' ')}`;
const TAP = 'tap0_kata: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16';
const ETH = '  eth0: 90 100 0 0 0 0 0 0 10 20 0 0 0 0 0 0';
const table = (...lines: string[]): string => `${[HEAD, ...lines].join('\n')}\n`;
const VMM = 7;

let proc: FakeProc;
let house: House;
let before: number;
beforeEach(() => {
  before = descriptorsHeld();
  proc = new FakeProc();
  proc.addProcess(VMM);
  proc.write('1/net/dev', table(LO, 'eth9: 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7'));
  proc.write(`${VMM}/net/dev`, table(LO, ETH, TAP));
  house = new House(proc.host(), (tables, host) => [new SandboxNetworkCollector(tables, host)]);
});
afterEach(async () => {
  await house.close();
  proc.close();
  expect(descriptorsHeld()).toBe(before);
});

async function tell(sandbox: Sandbox = { vmmInShim: false }): Promise<void> {
  house.told.records = [{ id: 'pod-1', process: { pid: VMM }, sandbox }];
  await house.turn();
}
async function sweeps(count: number): Promise<void> {
  for (let sweep = 0; sweep < count; sweep++) await house.collection.sweep();
}
const outcome = (): string => Object.values(outcomeWords(house.sampler.states[0].outcome.front[house.collection.order.rows[0]])).join(' ');
const dropped = (): number => house.tables.sandboxes.columns[0].front[house.tables.sandboxes.order.rows[0]];
/** Interfaces that readers see, each with its sixteen numbers. */
function interfaces(): Record<string, number[]> {
  const { order, columns } = house.tables.sandboxInterfaces;
  return Object.fromEntries(order.keys.map(({ name }, i) => [name, columns.map(({ front }) => front[order.rows[i]])]));
}

describe('sandbox_network', () => {
  it('has all sixteen numbers of every interface, as the host counts them', async () => {
    await tell();
    expect([outcome(), dropped()]).toEqual(['ok', 0]);
    expect(interfaces()).toEqual({
      lo: Array(16).fill(0),
      eth0: [90, 100, 0, 0, 0, 0, 0, 0, 10, 20, 0, 0, 0, 0, 0, 0],
      tap0_kata: NET_DEV_ITEMS.map((_, item) => item + 1),
    });
    expect(house.tables.sandboxInterfaces.columns.map(({ metric }) => metric.json)).toEqual([...NET_DEV_ITEMS]);
  });

  it('holds one descriptor a sandbox beyond the two of its process', async () => {
    await tell();
    expect(descriptorsHeld() - before).toBe(3);
  });

  it('is silent on a VM that is no sandbox', async () => {
    house.told.records = [{ id: 'vm-1', process: { pid: VMM } }];
    await house.turn();
    expect(house.sampler.states[0].outcome.front[house.collection.order.rows[0]]).toBeNaN();
    expect([house.tables.sandboxes.size, descriptorsHeld() - before]).toEqual([0, 2]);
  });

  it('follows interfaces that come and go, and leaves no frozen series', async () => {
    await tell();
    proc.write(`${VMM}/net/dev`, table(LO, TAP.replace('1 2', '21 22'), 'tap1_kata: 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5'));
    await sweeps(1);
    expect(Object.keys(interfaces())).toEqual(['lo', 'tap0_kata', 'tap1_kata']);
    expect(interfaces().tap0_kata.slice(0, 3)).toEqual([21, 22, 3]);
    proc.write(`${VMM}/net/dev`, table(LO));
    await sweeps(1);
    expect(Object.keys(interfaces())).toEqual(['lo']);
    expect(house.tables.sandboxInterfaces.size).toBe(1);
    proc.write(`${VMM}/net/dev`, table(ETH, LO, TAP));
    await sweeps(1);
    expect(interfaces().eth0[0]).toBe(90);
  });

  it('takes an interface that changed its place for itself', async () => {
    await tell();
    const first = interfaces();
    proc.write(`${VMM}/net/dev`, table(TAP, ETH, LO));
    await sweeps(1);
    expect(interfaces()).toEqual(first);
  });

  it('never shows the host’s interfaces', async () => {
    rmSync(join(proc.root, `${VMM}/net/dev`));
    linkSync(join(proc.root, '1/net/dev'), join(proc.root, `${VMM}/net/dev`));
    await tell();
    await sweeps(30);
    expect([outcome(), interfaces(), dropped()]).toEqual(['absent unsupported', {}, Number.NaN]);
  });

  it('shows nothing where the host’s namespace cannot be told', async () => {
    rmSync(join(proc.root, '1'), { recursive: true });
    await tell();
    expect([outcome(), interfaces()]).toEqual(['absent not_permitted', {}]);
  });

  it('reads the namespace of the VMM’s threads where the VMM is in the shim, whose own is the host’s', async () => {
    rmSync(join(proc.root, `${VMM}/net/dev`));
    linkSync(join(proc.root, '1/net/dev'), join(proc.root, `${VMM}/net/dev`));
    for (const [thread, name] of [
      [VMM, 'containerd-shim'],
      [71, 'vmm_master'],
    ]) {
      proc.write(`${VMM}/task/${thread}/comm`, `${name}\n`);
      proc.write(`${VMM}/task/${thread}/net/dev`, thread === VMM ? table(LO) : table(LO, TAP));
    }
    await tell({ vmmInShim: true });
    expect(Object.keys(interfaces())).toEqual(['lo', 'tap0_kata']);
  });

  it('counts the first 64 interfaces and says how many it does not', async () => {
    const many = Array.from({ length: 70 }, (_, i) => TAP.replace('tap0_kata', `veth${i}`));
    proc.write(`${VMM}/net/dev`, table(LO, ...many));
    await tell();
    expect([Object.keys(interfaces()).length, dropped(), outcome()]).toEqual([MAX_INTERFACES, 71 - MAX_INTERFACES, 'ok']);
    expect(interfaces()).toHaveProperty('veth62');
    proc.write(`${VMM}/net/dev`, table(LO, ...many.slice(10)));
    await sweeps(2);
    expect([Object.keys(interfaces()).length, dropped()]).toEqual([61, 0]);
  });

  it('drops a name that is there twice', async () => {
    proc.write(`${VMM}/net/dev`, table(LO, TAP, TAP.replace('1 2', '9 9')));
    await tell();
    expect([Object.keys(interfaces()), dropped()]).toEqual([['lo', 'tap0_kata'], 1]);
    expect(interfaces().tap0_kata[0]).toBe(1);
  });

  it.each([
    ['a line that is none', table(LO, 'tap0_kata: 1 2 x'), 'failed malformed'],
    ['no line', table(), 'failed malformed'],
    ['nothing', '', 'failed malformed'],
    ['a table that is cut', table(LO, TAP).slice(0, -5), 'failed malformed'],
    ['a table without end', table(LO, ...Array(2000).fill(TAP)), 'failed too_large'],
  ])('has no interfaces where the kernel gives %s, and comes back', async (_, text, expected) => {
    await tell();
    proc.write(`${VMM}/net/dev`, text);
    await sweeps(1);
    expect([outcome(), interfaces(), dropped()]).toEqual([expected, {}, Number.NaN]);
    proc.write(`${VMM}/net/dev`, table(LO, TAP));
    await sweeps(1);
    expect([outcome(), Object.keys(interfaces())]).toEqual(['ok', ['lo', 'tap0_kata']]);
  });

  it('forgets them with the VMM', async () => {
    await tell();
    proc.write(`${VMM}/stat`, statLine({ pid: VMM, state: 'Z' }));
    await sweeps(1);
    expect([house.tables.sandboxes.size, house.tables.sandboxInterfaces.size, interfaces()]).toEqual([0, 0, {}]);
  });
});
