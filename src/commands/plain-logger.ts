import type { LoggerService } from '@nestjs/common';

/** For commands that answer and end: warnings and errors as plain lines for whoever typed the command, nothing else. */
export class PlainLogger implements LoggerService {
  constructor(private readonly complain: (line: string) => void) {}

  log(): void {}

  warn(message: unknown): void {
    this.complain(String(message));
  }

  error(message: unknown): void {
    this.complain(String(message));
  }

  fatal(message: unknown): void {
    this.complain(String(message));
  }
}
