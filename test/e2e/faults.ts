import { constants as flags, openSync } from 'node:fs';
import { HeldDirectory, HeldFile } from '../../src/host/held.js';

/** What becomes of a file: an errno word or any error to throw, or other content than it has. */
export type Fault = { readonly error: Error } | { readonly content: string };

/** An error as the system's: with its word in `code`. */
export const systemError = (code: string, path = 'a file'): Error => Object.assign(new Error(`${code}: ${path}`), { code });

/** Which files of a host are broken now. Paths are below the host's root: `proc/15376/io`. */
export class Faults {
  private readonly broken: { readonly path: RegExp; readonly fault: Fault }[] = [];

  break(path: RegExp, fault: Fault): void {
    this.broken.push({ path, fault });
  }

  mend(): void {
    this.broken.length = 0;
  }

  /** Content that stands in for the file's, undefined for a file that is whole. @throws the fault's error */
  at(path: string): string | undefined {
    const fault = this.broken.find((one) => one.path.test(path))?.fault;
    if (fault && 'error' in fault) throw fault.error;
    return fault?.content;
  }
}

/** A held file that breaks while it is held, as the kernel's do when a process ends. */
export class BreakableFile extends HeldFile {
  constructor(
    fd: number,
    private readonly where: string,
    private readonly faults: Faults,
  ) {
    super(fd);
  }

  override read(into: Buffer): number {
    const content = this.faults.at(this.where);
    return content === undefined ? super.read(into) : into.write(content);
  }

  override readAt(into: Buffer, offset: number, length: number, position: number): number {
    const content = this.faults.at(this.where);
    if (content === undefined) return super.readAt(into, offset, length, position);
    return Buffer.from(content).copy(into, offset, position, position + length);
  }
}

/** A held directory whose entries can be broken one by one. */
export class BreakableDirectory extends HeldDirectory {
  constructor(
    fd: number,
    private readonly where: string,
    private readonly faults: Faults,
  ) {
    super(fd);
  }

  override open(entry: string): HeldFile {
    this.faults.at(this.at(entry));
    return new BreakableFile(openSync(this.path(entry), flags.O_RDONLY | flags.O_NONBLOCK), this.at(entry), this.faults);
  }

  override openDirectory(entry: string): HeldDirectory {
    this.faults.at(this.at(entry));
    return new BreakableDirectory(openSync(this.path(entry), flags.O_RDONLY | flags.O_DIRECTORY), this.at(entry), this.faults);
  }

  override readOnce(entry: string, into: Buffer): number {
    const content = this.faults.at(this.at(entry));
    return content === undefined ? super.readOnce(entry, into) : into.write(content);
  }

  override readText(entry: string, limitBytes?: number): string {
    return this.faults.at(this.at(entry)) ?? super.readText(entry, limitBytes);
  }

  override readRegularText(entry: string, limitBytes: number): string {
    return this.faults.at(this.at(entry)) ?? super.readRegularText(entry, limitBytes);
  }

  override async readTextAsync(entry: string, limitBytes?: number): Promise<string> {
    return this.faults.at(this.at(entry)) ?? super.readTextAsync(entry, limitBytes);
  }

  override list(entry = ''): string[] {
    this.faults.at(entry === '' ? this.where : this.at(entry));
    return super.list(entry);
  }

  override link(entry: string): string {
    this.faults.at(this.at(entry));
    return super.link(entry);
  }

  /** git keeps no owner: recorded processes are root's. */
  override owner(): number {
    return 0;
  }

  private at(entry: string): string {
    return `${this.where}/${entry}`;
  }
}
