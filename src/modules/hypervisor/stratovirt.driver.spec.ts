import { describe, expect, it } from 'vitest';
import { evidenceOf, tap } from '../../../test/contracts/process-evidence.js';
import { stratovirtDriver } from './stratovirt.driver.js';

const KATA =
  '/usr/bin/stratovirt -name sandbox-5f3c -uuid 0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11 -smp 1 -m 1024M -machine microvm,dump-guest-core=off -qmp unix:/run/vc/vm/5f3c/qmp.socket,server,nowait -D -disable-seccomp';

describe('stratovirt', () => {
  it('as Kata starts it, its NIC plugged in later', () => {
    expect(stratovirtDriver.describe(evidenceOf({ argv: KATA.split(' '), kvmVms: 1, kvmVcpus: 1, taps: [tap(20, 'tap0_kata')] }))).toEqual({
      id: '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11',
      uuid: '0b2b9c7e-58f6-4c3b-9a70-2d5a6d2f7a11',
      name: 'sandbox-5f3c',
      vcpus: 1,
      memoryBytes: 1024 ** 3,
      nics: [{ kind: 'tap', name: 'tap0_kata' }],
      sockets: ['/run/vc/vm/5f3c/qmp.socket'],
    });
  });

  it('by hand: no default NIC, no default memory', () => {
    const argv = ['stratovirt', '-netdev', 'tap,id=n,ifname=tap0', '-device', 'virtio-net-device,netdev=n,mac=52:54:00:00:00:01'];
    expect(stratovirtDriver.describe(evidenceOf({ argv, taps: [tap(9, 'tap0')] }))).toEqual({
      vcpus: 1,
      nics: [{ kind: 'tap', name: 'tap0', mac: '52:54:00:00:00:01', device: 'n' }],
      sockets: [],
    });
    expect(stratovirtDriver.describe(evidenceOf({ argv: ['stratovirt'] })).nics).toEqual([]);
    expect(stratovirtDriver.describe(evidenceOf())).toEqual({});
  });
});
