import { linkSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../../test/fake-proc.js';
import { kernelSample } from '../../../../test/kernel-samples.js';
import type { HostFamily } from '../../../model/host-family.js';
import { Outcome } from '../../../model/outcome.js';
import { ConntrackHostCollector } from './conntrack.host-collector.js';
import { HostConntrack } from './host-conntrack.js';

const STAT = kernelSample('linux-6.18-conntrack/stat');
const NET_DEV = kernelSample('qemu-7.2-kvm/net-dev');

let proc: FakeProc;
let conntrack: HostConntrack;
let collector: ConntrackHostCollector;
beforeEach(() => {
  proc = new FakeProc();
  conntrack = new HostConntrack(proc.host());
  collector = new ConntrackHostCollector(conntrack);
  proc.write('1/net/dev', NET_DEV);
});
afterEach(() => proc.close());

const sysctls = (count: string, max: string): void => {
  proc.write('sys/net/netfilter/nf_conntrack_count', count);
  proc.write('sys/net/netfilter/nf_conntrack_max', max);
};
/** As where the agent is in the namespace of init: one file. */
const inHosts = (): void => {
  mkdirSync(join(proc.root, 'self/net'), { recursive: true });
  linkSync(join(proc.root, '1/net/dev'), join(proc.root, 'self/net/dev'));
};
const samples = (name: string): readonly string[] => {
  const family: HostFamily = collector.families().find((one) => one.name === name) ?? expect.fail(`no ${name}`);
  return [...family.samples()].map(({ labels, value }) => `${labels} ${value}`);
};
const allSamples = (): readonly string[] => collector.families().flatMap(({ name }) => samples(name));

describe('connections of the host', () => {
  it('are those of init’s namespace, whatever the reader’s own sysctl says', () => {
    proc.write('1/net/stat/nf_conntrack', STAT);
    sysctls('77\n', '262144\n');
    expect(collector.read()).toBe(Outcome.ok);
    expect(conntrack.last).toMatchObject({ entries: 10, maxEntries: 262_144 });
    expect(samples('vmgauge_conntrack_entries')).toEqual([' 10']);
    expect(samples('vmgauge_conntrack_max_entries')).toEqual([' 262144']);
    expect(samples('vmgauge_conntrack_error_total')).toEqual(['cpu="0" 0', 'cpu="1" 8']);
  });

  it('have no maximum where the agent’s namespace does not show it', () => {
    proc.write('1/net/stat/nf_conntrack', STAT);
    expect(collector.read()).toBe(Outcome.ok);
    expect(samples('vmgauge_conntrack_max_entries')).toEqual([]);
    for (const garbage of ['', 'x\n', '12', '-1\n', `${2 ** 64 - 1}\n`]) {
      sysctls('1\n', garbage);
      collector.read();
      expect(conntrack.last?.maxEntries, garbage).toBeNull();
    }
  });

  it('have the numbers of CPUs that are there, where the kernel prints a line for each that could be', () => {
    const line = STAT.split('\n')[1];
    proc.write('1/net/stat/nf_conntrack', `${STAT}${line}\n${line}\n`);
    proc.write('sys/devices/system/cpu/possible', '0,2,4-5\n');
    proc.write('sys/devices/system/cpu/present', '0,2\n');
    expect(collector.read()).toBe(Outcome.ok);
    expect(samples('vmgauge_conntrack_drop_total')).toEqual(['cpu="0" 0', 'cpu="2" 0']);
  });

  it('are told by the sysctl where the kernel has no counters, if the agent is in the namespace of the host', () => {
    sysctls('41\n', '1000\n');
    inHosts();
    expect(collector.read()).toBe(Outcome.ok);
    expect(conntrack.last).toEqual({ entries: 41, maxEntries: 1000, cpus: [] });
    expect(samples('vmgauge_conntrack_entries')).toEqual([' 41']);
    expect(samples('vmgauge_conntrack_drop_total')).toEqual([]);
  });

  it('are not told by the sysctl of another namespace', () => {
    sysctls('41\n', '1000\n');
    proc.write('self/net/dev', NET_DEV);
    expect(collector.read()).toBe(Outcome.unsupported);
    expect(allSamples()).toEqual([]);
  });

  it('are not configured where the module is not loaded, and never 0', () => {
    inHosts();
    expect(collector.read()).toBe(Outcome.notConfigured);
    expect(allSamples()).toEqual([]);
  });

  it('are not permitted where init is hidden', () => {
    const hidden = new FakeProc();
    expect(new HostConntrack(hidden.host()).read()).toBe(Outcome.notPermitted);
    hidden.close();
  });

  it('leave no sample behind when their file breaks, and come back', () => {
    proc.write('1/net/stat/nf_conntrack', STAT);
    collector.read();
    expect(allSamples().length).toBeGreaterThan(0);
    for (const text of ['', 'garbage\n', STAT.slice(0, -3)]) {
      proc.write('1/net/stat/nf_conntrack', text);
      expect(collector.read(), text).toBe(Outcome.malformed);
      expect(allSamples()).toEqual([]);
    }
    proc.write('1/net/stat/nf_conntrack', STAT.padEnd(300_000, '0'));
    expect(collector.read()).toBe(Outcome.tooLarge);
    proc.write('1/net/stat/nf_conntrack', STAT);
    expect(collector.read()).toBe(Outcome.ok);
    expect(allSamples().length).toBeGreaterThan(0);
  });
});

describe('the table of the host’s connections', () => {
  it('is init’s', () => {
    expect(conntrack.tablePath).toBe(join(proc.root, '1/net/nf_conntrack'));
  });
});
