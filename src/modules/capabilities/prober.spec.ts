import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProbeHost } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import { type Finding, fix, lacks, type Need, type Probe, works } from './capability.js';
import { documentOf } from './document.js';
import { Prober } from './prober.js';

let host: ProbeHost;
beforeEach(() => {
  host = new ProbeHost();
});
afterEach(() => host.close());

const probe = (name: string, find: Probe['find'], need: Need = 'optional'): Probe => ({ name, gives: 'x', collectors: ['io'], need, find });
const lacking = (need: Need, affects: readonly string[] = []): Finding =>
  lacks(Outcome.unsupported, { detail: 'd', need, affects, fix: fix('do', ['shell', 'it']) });

describe('a survey', () => {
  it('is made once for all who ask at the same time, and again when it is old', async () => {
    let turns = 0;
    const prober = new Prober(host.tools, [probe('a', () => works(String(++turns)))], () => undefined);
    const [one, two] = await Promise.all([prober.survey(), prober.survey()]);
    expect(two).toBe(one);
    host.proc.clock.ms += 4999;
    expect(await prober.survey()).toBe(one);
    host.proc.clock.ms += 1;
    expect((await prober.survey()).probed[0].finding.detail).toBe('2');
  });

  it('does not start a probe again that hangs, and has it back when it comes back', async () => {
    let starts = 0;
    let end = (_: Finding): void => undefined;
    const hanging = probe('a', () => {
      starts++;
      return new Promise<Finding>((resolve) => {
        end = resolve;
      });
    });
    const prober = new Prober(host.tools, [hanging, probe('b', () => works('fine'))], () => undefined, 20);
    const outcomes = async (): Promise<unknown[]> => {
      host.proc.clock.ms += 5000;
      return (await prober.survey()).probed.map(({ finding }) => finding.outcome);
    };
    expect(await outcomes()).toEqual([Outcome.timeout, Outcome.ok]);
    expect(await outcomes()).toEqual([Outcome.timeout, Outcome.ok]);
    expect(starts).toBe(1);
    end(works('late'));
    await new Promise((resolve) => setImmediate(resolve));
    const again = outcomes();
    end(works('new'));
    expect(await again).toEqual([Outcome.ok, Outcome.ok]);
    expect(starts).toBe(2);
  });

  it('takes errors of the system for findings, and reports defects of ours', async () => {
    const defects: string[] = [];
    const throwing = (code?: string) =>
      probe(`x_${code}`, () => Promise.reject(Object.assign(new Error('x'), code ? { code } : {})), 'none');
    const prober = new Prober(host.tools, [throwing('EACCES'), throwing('EIO'), throwing()], (name) => defects.push(name));
    const { probed } = await prober.survey();
    expect(probed.map(({ finding }) => finding)).toMatchObject([
      { outcome: Outcome.notPermitted, need: 'none', fix: expect.anything() },
      { outcome: Outcome.ioError, need: 'required', detail: 'the look failed (EIO)', fix: expect.anything() },
      { outcome: Outcome.ioError, fix: expect.anything() },
    ]);
    expect(defects).toEqual(['x_undefined']);
  });
});

describe('the document', () => {
  const documentFor = async (...findings: readonly Finding[]) => {
    const probes = findings.map((finding, i) => probe(`p${i}`, () => finding, 'none'));
    return documentOf(await new Prober(host.tools, probes, () => undefined).survey(), host.tools.collectors);
  };

  it.each<[boolean, readonly Finding[]]>([
    [true, []],
    [true, [works('x')]],
    [true, [lacking('optional'), lacking('none')]],
    [false, [works('x'), lacking('required')]],
    [false, [lacks(Outcome.timeout, { detail: 'd', need: 'required', fix: fix('f') })]],
    [true, [lacks(Outcome.busy, { detail: 'd', need: 'optional', fix: fix('f') })]],
  ])('is healthy: %s', async (healthy, findings) => {
    expect(await documentFor(...findings)).toMatchObject({ healthy });
  });

  it('counts by status, says why, and shows the first few of the affected', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    const document = await documentFor(
      works('x'),
      lacking('optional', ids),
      lacks(Outcome.busy, { detail: 'd', need: 'none', fix: fix('f') }),
    );
    expect(document).toMatchObject({
      summary: { ok: 1, absent: 1, failed: 1 },
      capabilities: [
        { status: 'ok', reason: null, need: 'none', fix: null, affects: { count: 0, first: [] } },
        { status: 'absent', reason: 'unsupported', need: 'optional', affects: { count: 6, first: ids.slice(0, 5) } },
        { status: 'failed', reason: 'busy' },
      ],
    });
  });

  it('names the families of the collectors that have less', async () => {
    const { capabilities } = await documentFor(works('x'));
    expect(capabilities[0].families).toContain('vmgauge_vm_process_io_bytes_total');
    expect([...capabilities[0].families].sort()).toEqual(capabilities[0].families);
  });
});
