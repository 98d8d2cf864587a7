import type { LoggerService } from '@nestjs/common';
import { LOG_LEVELS, type LogFormat, type LogLevel } from './config/config.js';

/** Nest tells of every module and route it makes: for those who look for it. */
const FRAMEWORK_CONTEXTS: ReadonlySet<string> = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

/** One line an event on standard error: an object for machines, or text for people. Standard output is left to answers of the command line. */
export class AgentLogger implements LoggerService {
  private least: number;

  constructor(
    private readonly format: LogFormat,
    level: LogLevel,
    private readonly write: (line: string) => void = (line) => void process.stderr.write(line),
  ) {
    this.least = LOG_LEVELS.indexOf(level);
  }

  setLevel(level: LogLevel): void {
    this.least = LOG_LEVELS.indexOf(level);
  }

  log(message: unknown, ...rest: unknown[]): void {
    const context = contextOf(rest);
    this.print(FRAMEWORK_CONTEXTS.has(context ?? '') ? 'debug' : 'info', message, context);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.print('warn', message, contextOf(rest));
  }
  /** Nest may put a stack between message and context; it says all that the message says. */
  error(message: unknown, ...rest: unknown[]): void {
    this.print('error', rest.length > 1 && typeof rest[0] === 'string' ? rest[0] : message, contextOf(rest));
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.print('error', message, contextOf(rest));
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.print('debug', message, contextOf(rest));
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.print('debug', message, contextOf(rest));
  }

  /** An object's members stand beside ours, so that a request is not text within text. */
  private print(level: LogLevel, message: unknown, context: string | undefined): void {
    if (LOG_LEVELS.indexOf(level) > this.least) return;
    const members = typeof message === 'object' && message !== null && !(message instanceof Error) ? message : { message: textOf(message) };
    const time = new Date().toISOString();
    this.write(
      this.format === 'json'
        ? `${JSON.stringify({ time, level, ...(context === undefined ? {} : { context }), ...members })}\n`
        : `${time} ${level} ${context === undefined ? '' : `${context}: `}${Object.values(members).map(textOf).join(' ')}\n`,
    );
  }
}

/** Nest hands the context over last, after whatever else. */
const contextOf = (rest: readonly unknown[]): string | undefined => {
  const last = rest.at(-1);
  return typeof last === 'string' ? last : undefined;
};

const textOf = (message: unknown): string => (message instanceof Error ? (message.stack ?? message.message) : String(message));
