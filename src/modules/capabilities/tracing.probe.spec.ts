import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProbeHost, stepsOf } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import type { Hindrance } from '../events/trace-source.js';
import { allOff, statesOf } from '../events/trace-source.js';
import { BLOCK_REASONS, type BlockStates } from '../events/words.js';
import type { Finding } from './capability.js';
import { eventTracing } from './tracing.probe.js';

let host: ProbeHost;
beforeEach(() => {
  host = new ProbeHost();
  host.house.settings.tracing = 'auto';
});
afterEach(() => host.close());

const ALL = statesOf((block) => (block === 'guest-dns' || block === 'plain-files' ? 'not_wanted' : null));
const find = async (blocks: BlockStates | null, hindrance: Hindrance | null = null): Promise<Finding> => {
  const isUp = blocks?.cpu === null;
  return eventTracing.find({ ...host.tools, tracing: { blocks, isUp, lookNow: () => hindrance } });
};

describe('tracing of latencies', () => {
  it('works, or waits for VMs', async () => {
    expect(await find(ALL)).toEqual({ outcome: Outcome.ok, detail: 'bpftrace runs with cpu, tcp, bytes, dns, files, uring' });
    for (const blocks of [null, allOff(['cpu'], 'not_wanted')]) expect(await find(blocks)).toMatchObject({ outcome: Outcome.ok });
  });

  it('names the blocks that are off, and why', async () => {
    const finding = await find({ ...ALL, bytes: 'missing_tracepoint', dns: 'no_btf' });
    expect(finding).toMatchObject({
      outcome: Outcome.unsupported,
      detail: 'bpftrace runs without bytes (missing_tracepoint), dns (no_btf)',
    });
  });

  it.each([
    ['no_bpftrace', Outcome.notConfigured, 'apt-get install bpftrace'],
    ['no_permission', Outcome.notPermitted, 'sudo vmgauge trace --socket=/run/vmgauge-trace.sock --socket-group=GROUP'],
    ['lockdown', Outcome.lockdown, 'lockdown=integrity'],
    ['no_helper', Outcome.notConfigured, 'vmgauge trace --socket=/run/h.sock --socket-group=GROUP'],
  ] as const)('lacks what %s says, and there is a fix', async (reason, outcome, step) => {
    host.house.settings.tracingHelperSocket = '/run/h.sock';
    const finding = await find(null, { reason, words: 'it is so' });
    expect(finding).toMatchObject({ outcome, detail: 'it is so', need: 'none' });
    expect(stepsOf(finding)).toContain(step);
  });

  it('lacks tracefs where the agent looks for it', async () => {
    const finding = await find(null, { reason: 'no_tracefs', words: 'tracefs is not mounted' });
    expect(stepsOf(finding)[0]).toBe(`mount -t tracefs tracefs ${host.tools.host.sys('kernel', 'tracing')}`);
  });

  it('has a fix for every reason', async () => {
    for (const reason of BLOCK_REASONS) expect(stepsOf(await find(null, { reason, words: reason })), reason).not.toEqual([]);
  });

  it('gives no path to a shell that is more than a path', async () => {
    host.house.settings.tracingHelperSocket = '/run/$(id)';
    const finding = await find(null, { reason: 'no_helper', words: 'no' });
    expect(stepsOf(finding)).toEqual(['vmgauge trace --socket=FILE --socket-group=GROUP']);
  });

  it('is needed by VMs that run, and where it was asked for', async () => {
    const gone: Hindrance = { reason: 'no_bpftrace', words: 'there is no bpftrace' };
    await host.addVm('vm-1', 100);
    expect(await find(null, gone)).toMatchObject({ need: 'optional' });
    host.house.settings.tracing = 'on';
    expect(await find(null, gone)).toMatchObject({ need: 'required' });
  });

  it('has crashed', async () => {
    expect(await find(allOff(['cpu'], 'crashed'))).toMatchObject({ outcome: Outcome.ioError });
  });

  it('is off by configuration, and nothing is looked at', async () => {
    host.house.settings.tracing = 'off';
    const finding = await find(ALL);
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'none' });
    expect(stepsOf(finding)).toEqual(['--tracing.mode=auto']);
    host.house.settings.tracing = 'auto';
    host.house.settings.collectors = new Map([['tracing', false]]);
    expect(stepsOf(await find(ALL))).toEqual(['--collector.tracing']);
    expect(stepsOf(await eventTracing.find(host.tools))).toEqual(['--collector.tracing']);
  });
});
