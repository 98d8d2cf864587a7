import { readFileSync } from 'node:fs';
import fc from 'fast-check';

const ROOM = new URL('../fixtures/kernel/', import.meta.url);
export const RECORDED = ['qemu-7.2-kvm', 'qemu-7.2-libvirt-style'] as const;

/** A kernel file as a real host gave it, one character a byte. */
export const kernelSample = (path: string): string => readFileSync(new URL(path, ROOM), 'latin1');

/** The text cut after every byte, itself left out. */
export const truncations = (text: string): string[] => Array.from({ length: text.length }, (_, length) => text.slice(0, length));

/** As the house reads it: into a buffer that an earlier, longer reading has left full of digits, blanks and ends of lines. */
export function inUsedBuffer(text: string): readonly [bytes: Buffer, length: number] {
  const bytes = Buffer.alloc(text.length + 256, '7 8\n9\n');
  bytes.write(text, 0, 'latin1');
  return [bytes, text.length];
}

/** Any bytes, one character each. */
export const anyText: fc.Arbitrary<string> = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
