import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProbeHost, stepsOf } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import type { Finding } from './capability.js';
import { ovs } from './ovs.probe.js';
import type { ProbeTools } from './probe-tools.js';

let host: ProbeHost;
beforeEach(() => {
  host = new ProbeHost();
});
afterEach(() => host.close());

type Seen = NonNullable<ProbeTools['switches']>[number];

const aSwitch = (outcome: Outcome, ...bridges: readonly Outcome[]): Seen => ({
  directory: '/run/openvswitch',
  path: join(host.proc.root, 'run', 'openvswitch'),
  outcome,
  // Nothing else of a bridge is looked at.
  bridges: new Map(bridges.map((one, i) => [`br${i}`, { outcome: one }])) as unknown as Seen['bridges'],
});
const find = async (switches: readonly Seen[] | null): Promise<Finding> => ovs.find({ ...host.tools, switches });

describe('the probe ovs', () => {
  it('finds switches that answer', async () => {
    expect(await find([aSwitch(Outcome.ok, Outcome.ok, Outcome.ok)])).toEqual({
      outcome: Outcome.ok,
      detail: 'Open vSwitch at /run/openvswitch answers for 2 bridges',
    });
  });

  it('needs none where there is none', async () => {
    const finding = await find([aSwitch(Outcome.notConfigured)]);
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'none' });
    expect(finding.detail).toMatch(/^there is no Open vSwitch: no \/run\/openvswitch/);
    expect(await find(null)).toMatchObject({ outcome: Outcome.notConfigured, need: 'none' });
  });

  it('tells a run directory without a database from none', async () => {
    mkdirSync(join(host.proc.root, 'run', 'openvswitch'), { recursive: true });
    expect((await find([aSwitch(Outcome.notConfigured)])).detail).toMatch(/^there is no db\.sock in \/run\/openvswitch/);
  });

  it.each([
    [Outcome.notPermitted, [], 'optional', /the database .* may not be connected to/, /CAP_DAC_OVERRIDE/],
    [Outcome.ok, [Outcome.ok, Outcome.notPermitted], 'optional', /the bridge br1 .* may not be connected to/, /CAP_DAC_OVERRIDE/],
    // It was there: VMs behind it are cut off.
    [Outcome.gone, [], 'required', /the database .* does not run/, /systemctl restart/],
    [Outcome.ok, [Outcome.gone], 'required', /^ovs-vswitchd at .* does not run/, /systemctl restart/],
    [
      Outcome.ok,
      [Outcome.ok, Outcome.unsupported],
      'optional',
      /the bridge br1 .* speaks no version/,
      /add bridge br1 protocols OpenFlow10/,
    ],
    [
      Outcome.timeout,
      [],
      'required',
      /does not answer well \(timeout\)/,
      /OVS_RUNDIR='\/.*\/run\/openvswitch' ovs-appctl .*-t ovsdb-server/,
    ],
    [Outcome.ok, [Outcome.malformed], 'optional', /does not answer well \(malformed\)/, /ovs-appctl .*-t ovs-vswitchd/],
  ])('says what to do at %d with bridges %j', async (outcome, bridges, need, detail, step) => {
    const finding = await find([aSwitch(Outcome.notConfigured), aSwitch(outcome, ...bridges)]);
    expect(finding).toMatchObject({ need, outcome: bridges.at(-1) ?? outcome });
    expect(finding.detail).toMatch(detail);
    expect(stepsOf(finding).join('\n')).toMatch(step);
  });

  it('says that it was switched off', async () => {
    host.house.settings.collectors = new Map([['ovs', false]]);
    expect(stepsOf(await find([aSwitch(Outcome.busy)]))).toEqual(['--collector.ovs']);
    host.house.settings.ovsDirectories = [];
    expect(stepsOf(await find([]))).toEqual(['--ovs.run-directories=/run/openvswitch']);
  });
});
