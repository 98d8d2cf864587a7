import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { answer, flood, RawSocket, silence } from '../../../test/raw-socket.js';
import { UpstreamServer, upstreamAt } from '../../../test/upstream-server.js';
import { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import type { UpstreamSettings } from '../../model/upstream.js';
import { UpstreamScraper } from './scraper.js';
import { UpstreamsHostCollector } from './upstreams.host-collector.js';

const LONG_MS = 60_000;
const PATIENT = { timeout: 20_000 };

describe('the scraper', () => {
  let directory: string;
  let now: number;
  let told: string[];
  const sockets: RawSocket[] = [];
  const scrapers: UpstreamScraper[] = [];
  const host = new Host({}, { monotonic: () => now, now: () => 1_700_000_000_000 + now });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'vmgauge-scraper-'));
    now = 0;
    told = [];
    for (const level of ['log', 'warn', 'error'] as const) {
      vi.spyOn(Logger.prototype, level).mockImplementation((line: unknown) => void told.push(`${level} ${String(line)}`));
    }
  });
  afterEach(async () => {
    for (const scraper of scrapers.splice(0)) scraper.onApplicationShutdown();
    for (const socket of sockets.splice(0)) await socket.close();
    rmSync(directory, { recursive: true });
    vi.restoreAllMocks();
  });

  async function listen(name: string, text: string): Promise<RawSocket> {
    const socket = await RawSocket.listen(join(directory, name), answer(text));
    sockets.push(socket);
    return socket;
  }
  const at = (name: string, more: Partial<UpstreamSettings> = {}): UpstreamSettings =>
    upstreamAt(name, `unix:${join(directory, name)}:/m`, more);
  function scraperOf(...upstreams: readonly UpstreamSettings[]): UpstreamScraper {
    const scraper = new UpstreamScraper(host, Object.assign(new Settings(), { upstreams }));
    scrapers.push(scraper);
    return scraper;
  }
  const linesOf = (scraper: UpstreamScraper): string[] =>
    scraper.families().flatMap(({ bodies }) => bodies.flatMap(({ lines }) => lines.toString().trimEnd().split('\n')));
  const samplesOf = (scraper: UpstreamScraper): string[] =>
    new UpstreamsHostCollector(host, scraper)
      .families()
      .flatMap(({ name, samples }) => [...samples()].map(({ labels, value }) => `${name}{${labels}} ${value}`));

  it('has those of this host come before others, whatever their names are, and lets only them and those with a list take the place of ours', async () => {
    // To us 0.0.0.0 is somebody else; the kernel leads it to this host.
    const guest = await UpstreamServer.start('# TYPE antrea_x untyped\nantrea_x 9\nantrea_y 9\nup 0\nscrape_samples 1\n');
    const elsewhere = guest.url.replace('127.0.0.1', '0.0.0.0');
    await listen('own', '# TYPE antrea_x gauge\nantrea_x 1\n');
    try {
      const scraper = scraperOf(upstreamAt('aaa', elsewhere), at('own'));
      await scraper.settle(LONG_MS);
      expect(linesOf(scraper)).toEqual(['antrea_x{upstream="own"} 1', 'antrea_y{upstream="aaa"} 9']);
      expect([...scraper.names()]).toEqual(['antrea_x']);
      const listed = scraperOf(upstreamAt('aaa', elsewhere, { allow: ['antrea_', 'up'] }));
      await listed.settle(LONG_MS);
      expect([...listed.names()]).toEqual(['antrea_x', 'antrea_y', 'up']);
    } finally {
      await guest.close();
    }
  });

  it('asks each by itself, again and again, and never twice at once', async () => {
    const [a, b] = [await listen('a', 'x 1\n'), await listen('b', 'y 1\n')];
    b.reply = silence;
    const scraper = scraperOf(at('b', { intervalMs: 5, timeoutMs: LONG_MS }), at('a', { intervalMs: 5 }));
    expect(scraper.configured).toEqual(['a', 'b']);
    scraper.onApplicationBootstrap();
    await expect.poll(() => b.requests.length, PATIENT).toBe(1);
    const waiting = [scraper.settle(LONG_MS), scraper.settle(LONG_MS)];
    await expect.poll(() => a.requests.length, PATIENT).toBeGreaterThan(5);
    expect(b.accepted).toBe(1);
    scraper.onApplicationShutdown();
    await expect.poll(() => b.connections + a.connections, PATIENT).toBe(0);
    await Promise.all(waiting);
    const { length } = a.requests;
    await scraper.settle(LONG_MS);
    expect(a.requests).toHaveLength(length);
  });

  it('gives the same families until something changes, and their names', async () => {
    const socket = await listen('a', 'x 1\n');
    const scraper = scraperOf(at('a'));
    expect(scraper.families()).toEqual([]);
    await scraper.settle(LONG_MS);
    const before = scraper.families();
    expect(scraper.families()).toBe(before);
    expect([...scraper.names()]).toEqual(['x']);
    socket.reply = answer('z 2\n');
    await scraper.settle(LONG_MS);
    expect(linesOf(scraper)).toEqual(['z{upstream="a"} 2']);
    expect([...scraper.names()]).toEqual(['z']);
  });

  it('tells of a change once, and not what a stranger wrote', async () => {
    const socket = await listen('a', 'x 1\n');
    const scraper = scraperOf(at('a'));
    for (const reply of [
      answer('x 1\n'),
      answer('evil', '401 evil'),
      answer('evil', '401 evil'),
      answer('<html>evil</html>\n'),
      answer(''),
      answer('x 1\n'),
    ]) {
      socket.reply = reply;
      await scraper.settle(LONG_MS);
    }
    expect(told).toEqual([
      'warn upstream a: it wants a token (401)',
      'warn upstream a: its answer holds no sample in the text format',
      'log upstream a: answers again',
    ]);
    expect(scraper.contacts[0].failures).toBe(4);
  });

  it('says why nothing of an answer is passed on', async () => {
    const socket = await listen('a', '');
    const scraper = scraperOf(at('a'));
    for (const text of ['vmgauge_build_info 1\nkata_x 1\n', 'x{exported_upstream="b"} 1\n', '<html>\n']) {
      socket.reply = answer(text);
      await scraper.settle(LONG_MS);
    }
    expect(told).toEqual([
      'warn upstream a: all that it says has names of this agent (vmgauge_, hypeman_, kata_), which only `allow` lets through',
      'warn upstream a: none of its samples can be passed on',
      'warn upstream a: its answer holds no sample in the text format',
    ]);
    expect(scraper.contacts[0].refusal?.cause).toBe('page');
  });

  it('keeps what was said for three intervals, with its age', async () => {
    const socket = await listen('a', 'x 1\n');
    const scraper = scraperOf(at('a', { intervalMs: 10_000, maxBytes: 1000 }));
    expect(samplesOf(scraper).filter((line) => !line.startsWith('vmgauge_upstreams_'))).toEqual([
      'vmgauge_upstream_outcome{upstream="a",outcome="failed",reason="busy"} 1',
    ]);
    await scraper.settle(LONG_MS);
    socket.reply = flood(Buffer.from('x 1\n'.repeat(1000)), {});
    now = 20_000;
    await scraper.settle(LONG_MS);
    expect(linesOf(scraper)).toEqual(['x{upstream="a"} 1']);
    expect(samplesOf(scraper)).toEqual(
      expect.arrayContaining([
        'vmgauge_upstream_up{upstream="a"} 0',
        'vmgauge_upstream_outcome{upstream="a",outcome="failed",reason="too_large"} 1',
        'vmgauge_upstream_age_seconds{upstream="a"} 20',
        'vmgauge_upstream_last_success_timestamp_seconds{upstream="a"} 1700000000',
        'vmgauge_upstream_failures_total{upstream="a"} 1',
      ]),
    );
    now = 30_001;
    expect(linesOf(scraper)).toEqual([]);
    expect(samplesOf(scraper).filter((line) => /_(age|series|bytes)[_{]/.test(line))).toEqual([]);
  });

  it('counts what is not passed on, by reason', async () => {
    await listen('a', '# TYPE x gauge\nx 1\nx 1\ny{__name__="z"} 1\nnonsense\nd_1 1\nq{exported_upstream="b"} 1\n');
    await listen('b', '# TYPE x counter\nx 5\n');
    const scraper = scraperOf(at('a', { deny: ['d_'] }), at('b'), at('c'));
    await scraper.settle(LONG_MS);
    scraper.lost({ conflicts: new Map([['a', 1]]), textOnly: new Map([['b', 2]]) });
    const lines = samplesOf(scraper);
    const counts = { a: { malformed: 1, label: 2, duplicate: 1, conflict: 1, excluded: 1 }, b: { conflict: 1 } };
    for (const [name, reasons] of Object.entries(counts)) {
      const dropped = lines.filter((line) => line.startsWith(`vmgauge_upstream_dropped_series{upstream="${name}"`) && !line.endsWith(' 0'));
      expect(dropped).toEqual(
        Object.entries(reasons).map(([reason, count]) => `vmgauge_upstream_dropped_series{upstream="${name}",reason="${reason}"} ${count}`),
      );
    }
    expect(lines).toContain('vmgauge_upstream_series{upstream="a"} 0');
    expect(lines).toContain('vmgauge_upstream_series{upstream="b"} 0');
    expect(lines).toContain('vmgauge_upstream_text_only_series{upstream="b"} 2');
    expect(lines.some((line) => /^vmgauge_upstream_(age|series|dropped).*upstream="c"/.test(line))).toBe(false);
    expect(lines).toContain('vmgauge_upstream_outcome{upstream="c",outcome="absent",reason="gone"} 1');
  });

  it('leaves out series beyond the number that the configuration allows', async () => {
    await listen('a', Array.from({ length: 50 }, (_, i) => `x{i="${i}"} 1\n`).join(''));
    const scraper = scraperOf(at('a', { maxSeries: 20 }));
    await scraper.settle(LONG_MS);
    expect(linesOf(scraper)).toHaveLength(20);
    expect(samplesOf(scraper)).toContain('vmgauge_upstream_dropped_series{upstream="a",reason="limit"} 30');
  });

  it('is held up by none that says nothing', async () => {
    const silent = Array.from({ length: 12 }, (_, i) => `s${i}`);
    for (const name of silent) (await listen(name, '')).reply = silence;
    await listen('z', 'x 1\n');
    const scraper = scraperOf(...silent.map((name) => at(name, { timeoutMs: 50 })), at('z'));
    await scraper.settle(LONG_MS);
    expect(scraper.contacts.map(({ outcome }) => outcome)).toEqual([...silent.map(() => Outcome.timeout), Outcome.ok]);
  });

  it('asks nobody where the collector is off', async () => {
    const socket = await listen('a', 'x 1\n');
    const settings = Object.assign(new Settings(), { upstreams: [at('a')], collectors: new Map([['upstreams', false]]) });
    const scraper = new UpstreamScraper(host, settings);
    scraper.onApplicationBootstrap();
    await scraper.settle(LONG_MS);
    expect([scraper.configured, socket.accepted]).toEqual([[], 0]);
  });
});

describe('its collector', () => {
  it('has the outcome of the first upstream that fails, and is good where none does', () => {
    const at = (name: string): UpstreamSettings => upstreamAt(name, 'http://h/m');
    const scraper = new UpstreamScraper(new Host(), Object.assign(new Settings(), { upstreams: ['a', 'b', 'c'].map(at) }));
    const collector = new UpstreamsHostCollector(new Host(), scraper);
    const [a, b, c] = scraper.contacts;
    expect(collector.read()).toBe(Outcome.busy);
    for (const contact of [a, b]) contact.outcome = Outcome.ok;
    expect(collector.read()).toBe(Outcome.busy);
    c.refused({ outcome: Outcome.timeout, cause: 'upstream', why: 'it is slow' });
    expect(collector.read()).toBe(Outcome.timeout);
    a.outcome = Outcome.busy;
    expect(collector.read()).toBe(Outcome.timeout);
    b.refused({ outcome: Outcome.notPermitted, cause: 'token', why: 'it wants a token' });
    expect(collector.read()).toBe(Outcome.notPermitted);
    for (const contact of [a, b, c]) Object.assign(contact, { outcome: Outcome.ok, refusal: null });
    expect(collector.read()).toBe(Outcome.ok);
  });

  it('has nothing to say where no upstream is', () => {
    for (const collector of [
      new UpstreamsHostCollector(new Host()),
      new UpstreamsHostCollector(new Host(), new UpstreamScraper(new Host(), new Settings())),
    ]) {
      expect(collector.read()).toBe(Outcome.notConfigured);
      expect(collector.families().flatMap(({ samples }) => [...samples()])).toEqual([]);
      expect(new Set(collector.families().map(({ name }) => name)).size).toBe(collector.families().length);
    }
  });
});
