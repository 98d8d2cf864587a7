import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../../test/fake-proc.js';
import type { HeldDirectory } from '../../../host/held.js';
import { occupancyOf } from './occupancy.js';

const PATH = '/run/vm/monitor';
const HEAD = 'Num       RefCount Protocol Flags    Type St Inode Path\n';
const row = (flags: string, state: string, inode: number, path = ''): string =>
  `0000000000000000: 00000002 00000000 ${flags} 0001 ${state} ${String(inode).padStart(5)}${path && ` ${path}`}\n`;
const LISTENER = row('00010000', '01', 100, PATH);

let proc: FakeProc;
let held: HeldDirectory;
beforeEach(() => {
  proc = new FakeProc();
  proc.write('7/net/unix', HEAD + LISTENER);
  proc.write('self/net/unix', HEAD);
  proc.mkdir('7/fd');
  held = proc.host().holdDirectory(proc.host().proc('7'));
  holds(100);
});
afterEach(() => {
  held.close();
  proc.close();
});

let descriptors = 0;
const holds = (inode: number): void => proc.link(`7/fd/${++descriptors}`, `socket:[${inode}]`);
const look = () => occupancyOf(held, PATH, proc.host());

describe('who is at a monitor', () => {
  it('is nobody at one that only listens', async () => {
    expect(await look()).toMatchObject({ accepted: new Set(), waiting: 0, unknown: 0 });
  });

  it('is whoever was accepted, here or in our own network namespace, and whoever waits', async () => {
    proc.write('self/net/unix', HEAD + row('00000000', '03', 102, PATH) + row('00000000', '02', 0, PATH));
    holds(102);
    expect(await look()).toMatchObject({ accepted: new Set(['102']), held: new Set(['102']), waiting: 1, unknown: 0 });
  });

  it('may be behind a socket of the VMM that is in no table, though the beginning of a number is', async () => {
    proc.write('7/net/unix', HEAD + LISTENER + row('00000000', '03', 51_234));
    proc.write(
      '7/net/netlink',
      'sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n0 0 1 0 0 0 0 2 0 777\n',
    );
    for (const inode of [51_234, 777, 5123]) holds(inode);
    expect(await look()).toMatchObject({ unknown: 1 });
  });
});
