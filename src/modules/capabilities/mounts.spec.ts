import { describe, expect, it } from 'vitest';
import { mountLine } from '../../../test/probe-host.js';
import { mountAt, parseMounts } from './mounts.js';

const LINES = [
  '22 27 0:21 / /proc rw,nosuid,relatime shared:12 - proc proc rw,hidepid=invisible,gid=110',
  '23 27 0:22 / /sys rw - sysfs sysfs rw',
  '40 27 8:1 / /mnt/with\\040blank\\134 rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw,errors=remount-ro',
  '41 22 0:50 / /proc ro - proc proc rw',
];
const TEXT = `${LINES.join('\n')}\n`;

describe('mountinfo', () => {
  it('is read with optional fields and without, options of the mount and of the file system together', () => {
    expect(parseMounts(TEXT)).toEqual([
      { at: '/proc', type: 'proc', options: ['rw', 'nosuid', 'relatime', 'hidepid=invisible', 'gid=110'] },
      { at: '/sys', type: 'sysfs', options: ['rw'] },
      { at: '/mnt/with blank\\', type: 'ext4', options: ['rw', 'relatime', 'errors=remount-ro'] },
      { at: '/proc', type: 'proc', options: ['ro', 'rw'] },
    ]);
  });

  it('shows at a path what was mounted there last, whatever slashes end it', () => {
    const all = parseMounts(TEXT);
    expect(mountAt(all, '/proc')).toBe(all[3]);
    expect(mountAt(all, '/proc//')).toBe(all[3]);
    expect(mountAt(all, '/pro')).toBeUndefined();
    expect(mountAt(parseMounts(mountLine('/', 'ext4')), '/')).toMatchObject({ type: 'ext4' });
  });

  it('that is cut anywhere gives the lines before the cut, and no other mount', () => {
    const whole = parseMounts(TEXT).map(({ at }) => at);
    for (let end = 0; end < TEXT.length; end++) {
      const cut = parseMounts(TEXT.slice(0, end)).map(({ at }) => at);
      expect(cut).toEqual(whole.slice(0, cut.length));
    }
  });
});
