import { describe, expect, it } from 'vitest';
import { ALL_RIGHTS, NO_RIGHTS, statusOf } from '../../../test/probe-host.js';
import { ownWords, parseOwnProcess } from './own-process.js';

describe('the status of this process', () => {
  it('tells the effective user and the rights that matter', () => {
    expect(parseOwnProcess(statusOf(0, ALL_RIGHTS))).toEqual({
      uid: 0,
      rights: new Set(['CAP_DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH', 'CAP_SYS_PTRACE', 'CAP_SYS_ADMIN']),
    });
    expect(parseOwnProcess(statusOf(1000, NO_RIGHTS))).toEqual({ uid: 1000, rights: new Set() });
    // Bits 2 and 19, linux/capability.h.
    expect(parseOwnProcess(statusOf(1000, '0000000000080004'))?.rights).toEqual(new Set(['CAP_DAC_READ_SEARCH', 'CAP_SYS_PTRACE']));
    expect(parseOwnProcess('Uid:\t0\t1000\t0\t0\nCapEff:\t0000000000000000\n')?.uid).toBe(1000);
  });

  it('is nothing where it is cut before what matters', () => {
    const text = statusOf(0, ALL_RIGHTS);
    for (let end = 0; end < text.indexOf('CapEff:\t'); end++) expect(parseOwnProcess(text.slice(0, end))).toBeNull();
  });

  it('is told in words', () => {
    expect(ownWords(null)).toBe('this agent');
    expect(ownWords(parseOwnProcess(statusOf(0, ALL_RIGHTS)))).toBe('root with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH');
    expect(ownWords(parseOwnProcess(statusOf(65534, NO_RIGHTS)))).toBe('user 65534 without CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH');
    expect(ownWords(parseOwnProcess(statusOf(7, '0000000000080000')))).toBe('user 7 without CAP_DAC_READ_SEARCH');
  });
});
