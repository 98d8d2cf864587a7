import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProc } from '../../../test/fake-proc.js';
import { errno } from '../../../test/fake-process.js';
import { kernelSample } from '../../../test/kernel-samples.js';
import { descriptorsHeld } from '../../host/held.js';
import { Outcome } from '../../model/outcome.js';
import { HostPressureHostCollector } from './host-pressure.host-collector.js';

const FILES = ['cpu', 'memory', 'io'] as const;

let proc: FakeProc;
let collector: HostPressureHostCollector;
let heldBefore: number;
beforeEach(() => {
  heldBefore = descriptorsHeld();
  proc = new FakeProc();
  collector = new HostPressureHostCollector(proc.host());
  for (const name of FILES) proc.write(`pressure/${name}`, kernelSample(`linux-6.18-pressure/host/${name}`));
});
afterEach(() => {
  collector.close();
  expect(descriptorsHeld()).toBe(heldBefore);
  proc.close();
});

const samples = (): readonly string[] =>
  collector.families().flatMap(({ name, samples }) => [...samples()].map(({ labels, value }) => `${name}{${labels}} ${value}`));

describe('pressure of the host', () => {
  it('is told in seconds, by resource', () => {
    expect(collector.read()).toBe(Outcome.ok);
    expect(samples()).toEqual([
      'vmgauge_host_pressure_waiting_seconds_total{resource="cpu"} 65.061396',
      'vmgauge_host_pressure_waiting_seconds_total{resource="memory"} 0',
      'vmgauge_host_pressure_waiting_seconds_total{resource="io"} 8.539384',
      'vmgauge_host_pressure_stalled_seconds_total{resource="memory"} 0',
      'vmgauge_host_pressure_stalled_seconds_total{resource="io"} 7.632607',
    ]);
  });

  it('has no time in which nobody got a CPU: the kernel’s 0 there means nothing', () => {
    expect(kernelSample('linux-6.18-pressure/host/cpu')).toMatch(/^full .*total=0$/m);
    collector.read();
    expect(samples().filter((line) => /stalled.*cpu/.test(line))).toEqual([]);
  });

  it('is read anew each time, without another descriptor', () => {
    collector.read();
    const held = descriptorsHeld();
    proc.write('pressure/cpu', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n');
    expect(collector.read()).toBe(Outcome.ok);
    expect(descriptorsHeld()).toBe(held);
    expect(samples()).toContain('vmgauge_host_pressure_waiting_seconds_total{resource="cpu"} 1.5');
  });

  it('has interrupts where the kernel counts them', () => {
    proc.write('pressure/irq', kernelSample('linux-6.18-pressure/cgroup/irq.pressure'));
    collector.read();
    expect(samples().filter((line) => /irq/.test(line))).toEqual(['vmgauge_host_pressure_stalled_seconds_total{resource="irq"} 0.048213']);
  });

  it.each([
    '',
    'x\n',
    'some avg10=0.00 avg60=0.00',
    kernelSample('linux-6.18-pressure/host/io').replace(/\d+\n$/, '18446744073709551615\n'),
  ])('that is %j is malformed and leaves no number behind', (text) => {
    collector.read();
    proc.write('pressure/io', text);
    expect(collector.read()).toBe(Outcome.malformed);
    expect(samples()).toEqual([]);
    proc.write('pressure/io', kernelSample('linux-6.18-pressure/host/io'));
    expect(collector.read()).toBe(Outcome.ok);
  });

  it('is unsupported where there is none', () => {
    rmSync(join(proc.root, 'pressure'), { recursive: true });
    expect(collector.read()).toBe(Outcome.unsupported);
    expect(samples()).toEqual([]);
  });

  it.each([
    ['EOPNOTSUPP', Outcome.notConfigured],
    ['EACCES', Outcome.notPermitted],
    ['EMFILE', Outcome.busy],
    ['EIO', Outcome.ioError],
  ] as const)('that cannot be opened for %s is an outcome, and comes back', (code, expected) => {
    const host = proc.host();
    const { holdFile } = host;
    host.holdFile = (path) => {
      if (path.endsWith('io')) throw errno(code);
      return holdFile.call(host, path);
    };
    collector.close();
    collector = new HostPressureHostCollector(host);
    expect(collector.read()).toBe(expected);
    expect(samples()).toEqual([]);
    expect(descriptorsHeld()).toBe(heldBefore);
    host.holdFile = holdFile;
    expect(collector.read()).toBe(Outcome.ok);
  });
});
