import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ToldSource } from '../../../test/house.js';
import { ProbeHost, stepsOf } from '../../../test/probe-host.js';
import { Outcome } from '../../model/outcome.js';
import type { Finding } from './capability.js';
import type { ProbeTools } from './probe-tools.js';
import { sourceProbes } from './sources.probe.js';

let host: ProbeHost;
let source: ToldSource;

/** A host whose only source beside discovery is called so. */
async function hostOf(name: string): Promise<void> {
  source = new ToldSource(name);
  host = new ProbeHost({ sources: [source] });
  host.house.settings.hypemanDataDir = join(host.proc.root, 'hypeman');
  await host.house.turn();
}

const tools = (): ProbeTools => ({ ...host.tools, sources: [source] });
const find = async (name: string): Promise<Finding> => {
  const probe = sourceProbes.find((one) => one.name === `source_${name}`) ?? expect.fail(`no probe of ${name}`);
  return probe.find(tools());
};

const PLACES: Readonly<Record<string, string>> = { hypeman: 'hypeman/guests', libvirt: 'run/libvirt/qemu', kata: 'run/vc/sbs' };

describe.each(Object.entries(PLACES))('the source %s', (name, place) => {
  beforeEach(() => hostOf(name));
  afterEach(() => host.close());

  it('is not asked for where its directory is not there', async () => {
    const finding = await find(name);
    expect(finding).toMatchObject({ outcome: Outcome.gone, need: 'none', detail: expect.stringContaining(place) });
    expect(stepsOf(finding)).toContain(name === 'hypeman' ? '--source.hypeman.data-dir=DIR' : '--path.run=DIR');
  });

  it('works where it is, and tells what it passed over without more than three lines of it', async () => {
    host.proc.mkdir(place);
    source.records = [{ id: 'a' }, { id: 'b' }];
    await host.house.turn();
    expect(await find(name)).toEqual({ outcome: Outcome.ok, detail: '2 instances' });
    Object.assign(source, { problems: new Map(['w', 'x', 'y', 'z'].map((entry) => [entry, 'no sense'])) });
    expect((await find(name)).detail).toBe('2 instances; passed over: w: no sense; x: no sense; y: no sense; 1 more');
  });

  it('is refused where we may not look', async () => {
    host.proc.mkdir(place);
    host.spoil(new RegExp(place), 'EACCES');
    const finding = await find(name);
    expect(finding).toMatchObject({ outcome: Outcome.notPermitted, need: 'required' });
    expect(stepsOf(finding)).toContain('AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH');
  });

  it('failed where it threw, without a word of what it said', async () => {
    host.proc.mkdir(place);
    source.records = new Error('secret-content');
    await host.house.turn();
    const finding = await find(name);
    expect(finding).toMatchObject({ outcome: Outcome.ioError, need: 'required' });
    expect(JSON.stringify(finding)).not.toContain('secret-content');
  });

  it('is off by the configuration', async () => {
    host.house.settings.sources = new Map([[name, false]]);
    const finding = await find(name);
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'none' });
    expect(stepsOf(finding)).toEqual([`--source.${name}`]);
  });
});

describe('Kata', () => {
  it('is there with either of its directories', async () => {
    await hostOf('kata');
    host.proc.mkdir('run/kata');
    expect(await find('kata')).toMatchObject({ outcome: Outcome.ok });
    await host.close();
  });
});

describe('the registration file', () => {
  beforeEach(() => hostOf('file'));
  afterEach(() => host.close());

  it('that is named and not there is missed', async () => {
    host.house.settings.registrationFile = join(host.proc.root, 'instances.yaml');
    expect(await find('file')).toMatchObject({ outcome: Outcome.gone, need: 'required' });
    host.proc.write('instances.yaml', '');
    expect(await find('file')).toMatchObject({ outcome: Outcome.ok });
  });

  it('that nobody names is not asked for', async () => {
    source = new ToldSource('other');
    expect(stepsOf(await find('file'))).toEqual(['--source.file.path=FILE']);
  });
});

describe('host discovery', () => {
  it('that could not look into processes does not say that nothing runs', async () => {
    host = new ProbeHost();
    await host.house.turn();
    const probe = sourceProbes.find((one) => one.name === 'source_host') ?? expect.fail('no probe of the host');
    expect(await probe.find(host.tools)).toEqual({ outcome: Outcome.ok, detail: '0 instances' });
    host.refuse(159, 160);
    const finding = await probe.find(host.tools);
    expect(finding).toMatchObject({ outcome: Outcome.notPermitted, need: 'none' });
    expect(finding.detail).toBe('no VMM that can be seen runs; 159 of 160 processes cannot be looked into');
    await host.close();
  });
});

describe('registration', () => {
  it('wants a file of tokens', async () => {
    await hostOf('other');
    const finding = await find('registration');
    expect(finding).toMatchObject({ outcome: Outcome.notConfigured, need: 'none' });
    expect(stepsOf(finding)).toEqual(['--source.registration.token-file=FILE']);
    await host.close();
  });
});
