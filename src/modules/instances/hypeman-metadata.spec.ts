import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMetadata } from './hypeman-metadata.js';
import { MalformedError } from './problems.js';

const TEXT = JSON.stringify({
  Id: 'a',
  Name: 'web',
  Size: 1024,
  Vcpus: 1,
  NetworkEnabled: true,
  HypervisorPID: 7,
  SocketPath: '/x/qemu.sock',
});

describe('parseMetadata', () => {
  it('refuses every truncation with a line that quotes nothing', () => {
    for (let length = 0; length < TEXT.length; length++) {
      expect(() => parseMetadata(TEXT.slice(0, length), 'a')).toThrow(/^(the file is empty|not JSON, or only a part of it)$/);
    }
  });

  it('takes any JSON for a record or refuses it as malformed', () => {
    const key = fc.constantFrom(
      'Name',
      'Size',
      'HotplugSize',
      'Vcpus',
      'NetworkEnabled',
      'MAC',
      'HypervisorPID',
      'SocketPath',
      'HypervisorType',
    );
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue()), (members) => {
        const { record } = parseMetadata(JSON.stringify({ ...members, Id: 'a' }), 'a');
        expect(record.id).toBe('a');
        for (const value of [record.vcpus, record.memoryBytes, record.process?.pid]) expect(value === undefined || value > 0).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(() => parseMetadata(text, 'a')).toThrow(MalformedError);
      }),
    );
  });

  it('does not believe a number that JSON has rounded', () => {
    const { record, ignored } = parseMetadata('{"Id":"a","HypervisorPID":7,"HypervisorStartTime":18446744073709551615}', 'a');
    expect(record.process).toBeUndefined();
    expect(ignored).toEqual(['HypervisorStartTime']);
  });
});
