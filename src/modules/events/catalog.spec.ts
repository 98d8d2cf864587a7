import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TRACEFS_SAMPLE } from '../../../test/kernel-catalog.js';
import { anyText } from '../../../test/kernel-samples.js';
import { Host } from '../../host/host.js';
import { parseFormat, readCatalog } from './catalog.js';

let sys: string;
beforeEach(() => {
  sys = mkdtempSync(join(tmpdir(), 'vmgauge-catalog-'));
});
afterEach(() => rmSync(sys, { recursive: true, force: true }));

const link = (place: string, target: string): void => {
  mkdirSync(dirname(join(sys, place)), { recursive: true });
  symlinkSync(target, join(sys, place));
};
const write = (place: string, text: string): void => {
  mkdirSync(dirname(join(sys, place)), { recursive: true });
  writeFileSync(join(sys, place), text);
};
const read = (): ReturnType<typeof readCatalog> => readCatalog(new Host({ sys }));

describe('readCatalog', () => {
  it.each(['kernel/tracing', 'kernel/debug/tracing'])('finds tracepoints at %s', (place) => {
    link(place, TRACEFS_SAMPLE);
    const catalog = read();
    expect(typeof catalog === 'string' ? catalog : catalog.format('sock/sock_send_length')?.fields).toEqual(
      new Set(['common_type', 'common_flags', 'common_preempt_count', 'common_pid', 'sk', 'family', 'protocol', 'ret', 'flags']),
    );
  });

  it('passes over the empty directory that tracefs is mounted on', () => {
    mkdirSync(join(sys, 'kernel/tracing'), { recursive: true });
    expect(read()).toBe('no_tracefs');
    link('kernel/debug/tracing', TRACEFS_SAMPLE);
    expect(read()).toMatchObject({ hasBtf: false });
  });

  it('says that it may not look', () => {
    link('kernel/tracing', TRACEFS_SAMPLE);
    const host = new Host({ sys });
    host.list = () => {
      throw Object.assign(new Error('permission denied'), { code: 'EACCES' });
    };
    expect(readCatalog(host)).toBe('no_permission');
  });

  it.each([
    ['none integrity [confidentiality]', true],
    ['none [integrity] confidentiality', false],
    ['[none] integrity confidentiality', false],
  ])('knows by %j whether kernel memory may be read', (text, isLocked) => {
    link('kernel/tracing', TRACEFS_SAMPLE);
    write('kernel/security/lockdown', `${text}\n`);
    expect(read() === 'lockdown').toBe(isLocked);
  });

  it('sees BTF, and no tracepoint that is not there', () => {
    link('kernel/tracing', TRACEFS_SAMPLE);
    write('kernel/btf/vmlinux', '');
    const catalog = read();
    if (typeof catalog === 'string') throw new Error(catalog);
    expect(catalog.hasBtf).toBe(true);
    expect(catalog.format('sched/sched_nothing')).toBeUndefined();
    expect(catalog.format('sched/sched_nothing')).toBeUndefined();
  });
});

describe('parseFormat', () => {
  const text = readFileSync(join(TRACEFS_SAMPLE, 'events/tcp/tcp_probe/format'), 'utf8');

  it('reads names of arrays and pointers', () => {
    expect([...(parseFormat(text)?.fields ?? [])].slice(4)).toEqual(
      'saddr daddr sport dport family mark data_len snd_nxt snd_una snd_cwnd ssthresh snd_wnd srtt rcv_wnd sock_cookie skbaddr skaddr'.split(
        ' ',
      ),
    );
  });

  it('knows no field that is not whole, wherever the text is cut', () => {
    const whole = parseFormat(text)?.fields ?? new Set();
    for (let end = 0; end < text.length; end++) {
      for (const field of parseFormat(text.slice(0, end))?.fields ?? []) expect(whole.has(field)).toBe(true);
    }
    expect(parseFormat(text.slice(0, text.indexOf('print fmt')))).toBeUndefined();
  });

  it.each(['', '\0', 'print fmt:', 'print fmt: \n\tfield:;\toffset:', '\tfield:int [3];\toffset:0;\nprint fmt: "x"'])(
    'finds no field in %j',
    (garbage) => {
      expect(parseFormat(garbage)?.fields ?? new Set()).toEqual(new Set());
    },
  );

  it('survives anything', () => {
    fc.assert(fc.property(anyText, (garbage) => parseFormat(garbage) === undefined || /print fmt: /.test(garbage)));
  });
});
