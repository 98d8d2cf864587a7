import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { oneLine, ProbeHost, stepsOf } from '../../../test/probe-host.js';
import { upstreamAt } from '../../../test/upstream-server.js';
import { Outcome } from '../../model/outcome.js';
import type { Cause } from '../upstreams/refusal.js';
import { UpstreamContact } from '../upstreams/upstream-contact.js';
import type { Finding } from './capability.js';
import { upstreams } from './upstreams.probe.js';

const CAUSES: Readonly<Record<Cause, RegExp>> = {
  token: /^--upstream\.a\.token-file=FILE$/,
  token_file: /^ls -l '\/t'$/,
  ca_file: /^openssl x509 .*'\/c'$/,
  certificate: /^openssl s_client -connect 'h:443' .*-fingerprint -sha256$/,
  rights: /nonResourceURLs/,
  address: /^--upstream\.a\.url=URL$/,
  page: /^--upstream\.a\.url=URL$/,
  names: /^--upstream\.a\.allow=vmgauge_,hypeman_,kata_$/,
  size: /^--upstream\.a\.allow=/,
  self: /^--upstream\.a\.url=URL$/,
  upstream: /^curl --verbose 'https:\/\/h\/m\?…'$/,
};

describe('the probe of upstreams', () => {
  let host: ProbeHost;
  beforeEach(() => {
    host = new ProbeHost();
  });
  afterEach(() => host.close());

  const contactOf = (name: string): UpstreamContact =>
    new UpstreamContact(upstreamAt(name, 'https://h/m?key=hunter2', { tokenFile: '/t', caFile: '/c' }), 0);
  async function find(contacts: readonly UpstreamContact[] | null): Promise<Finding> {
    const { tools } = host;
    const settings = contacts ? contacts.map((contact) => contact.settings) : [upstreamAt('a', 'http://h/')];
    return upstreams.find({
      ...tools,
      settings: Object.assign(tools.settings, { upstreams: settings }),
      upstreams: contacts && { contacts },
    });
  }

  it('needs nothing where none is configured', async () => {
    expect(await find([])).toMatchObject({ outcome: Outcome.notConfigured, need: 'none' });
  });

  it('is content where all answer', async () => {
    const contact = contactOf('a');
    contact.outcome = Outcome.ok;
    expect(await find([contact])).toEqual({ outcome: Outcome.ok, detail: '1 upstream answers' });
  });

  it('waits for those that were not asked, and where nobody asks', async () => {
    expect(await find([contactOf('a')])).toMatchObject({
      outcome: Outcome.busy,
      need: 'none',
      detail: '1 of 1 upstream were not asked yet',
    });
    expect(await find(null)).toMatchObject({ outcome: Outcome.busy, need: 'none' });
  });

  it.each(Object.entries(CAUSES) as [Cause, RegExp][])('says what to do about %s, without secrets', async (cause, step) => {
    const [a, b, c] = [contactOf('a'), contactOf('b'), contactOf('c')];
    b.outcome = Outcome.ok;
    a.refused({ outcome: Outcome.notPermitted, cause, why: 'it wants something' });
    c.refused({ outcome: Outcome.timeout, cause, why: 'it wants something else' });
    const finding = await find([a, b, c]);
    expect(finding).toMatchObject({
      outcome: Outcome.notPermitted,
      need: 'required',
      detail: 'upstream a (h:443): it wants something; upstream c (h:443): it wants something else',
    });
    const steps = stepsOf(finding);
    expect(steps).toHaveLength(2);
    expect(steps[0]).toMatch(step);
    for (const line of steps) expect(line).toSatisfy(oneLine);
    // Who configures with a file looks for a key.
    const key = /^--(upstream\.a\.[a-z-]+)=/.exec(steps[0])?.[1];
    expect(finding).toMatchObject({
      fix: { text: key === undefined ? expect.not.stringContaining('Keys') : expect.stringContaining(key) },
    });
    expect(JSON.stringify(finding)).not.toContain('hunter2');
  });

  it('says it of addresses and sockets as their programs want it', async () => {
    const steps = async (url: string, cause: Cause, serverName = ''): Promise<readonly string[]> => {
      const contact = new UpstreamContact(upstreamAt('a', url, { serverName }), 0);
      contact.refused({ outcome: Outcome.timeout, cause, why: 'it wants something' });
      return stepsOf(await find([contact]));
    };
    expect(await steps('unix:/run/a.sock:/m?key=hunter2', 'upstream')).toEqual([
      "curl --verbose --unix-socket '/run/a.sock' 'http://localhost/m?…'",
    ]);
    expect((await steps('https://[::1]:9/m', 'certificate', 'n'))[0]).toMatch(/^openssl s_client -connect '\[::1\]:9' -servername 'n' </);
  });

  it('is not needed where it is switched off', async () => {
    Object.assign(host.tools.settings, { collectors: new Map([['upstreams', false]]) });
    expect(await find([contactOf('a')])).toMatchObject({ outcome: Outcome.notConfigured, need: 'none' });
  });
});
