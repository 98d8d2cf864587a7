import { describe, expect, it } from 'vitest';
import { AgentLogger } from './agent-logger.js';

function written(format: 'json' | 'text', level: 'error' | 'warn' | 'info' | 'debug', log: (logger: AgentLogger) => void): string[] {
  const lines: string[] = [];
  log(new AgentLogger(format, level, (line) => lines.push(line)));
  return lines;
}

describe('AgentLogger', () => {
  it('writes an object a line with time, level, context and message', () => {
    const [line] = written('json', 'info', (logger) => logger.log('two\nlines', 'agent'));
    expect(line.endsWith('}\n')).toBe(true);
    expect(line.trimEnd()).not.toContain('\n');
    expect(JSON.parse(line)).toEqual({ time: expect.any(String), level: 'info', context: 'agent', message: 'two\nlines' });
  });

  it('puts the members of an object beside its own', () => {
    const [line] = written('json', 'debug', (logger) => logger.debug({ url: '/x', status: 200 }, 'http'));
    expect(JSON.parse(line)).toMatchObject({ level: 'debug', context: 'http', url: '/x', status: 200 });
  });

  it('writes text for people', () => {
    const [line] = written('text', 'info', (logger) => logger.warn('source hypeman: EACCES', 'agent'));
    expect(line).toMatch(/^\d{4}-\d\d-\d\dT\S+Z warn agent: source hypeman: EACCES\n$/);
  });

  it('leaves out what weighs less than its level, and can be set to another', () => {
    const say = (logger: AgentLogger): void => {
      logger.log('a');
      logger.warn('b');
      logger.setLevel('error');
      logger.warn('c');
      logger.error('d');
    };
    expect(written('text', 'warn', say).map((line) => line.trim().slice(-1))).toEqual(['b', 'd']);
  });

  it('takes what the framework tells of itself for debug', () => {
    expect(written('json', 'info', (logger) => logger.log('Mapped {/x, GET} route', 'RouterExplorer'))).toEqual([]);
    expect(written('json', 'debug', (logger) => logger.log('Mapped {/x, GET} route', 'RouterExplorer'))).toHaveLength(1);
  });

  it('keeps the stack of an error', () => {
    const [line] = written('json', 'error', (logger) => logger.error('broken', 'Error: broken\n    at somewhere', 'http'));
    expect(JSON.parse(line)).toMatchObject({ context: 'http', message: expect.stringContaining('at somewhere') });
  });
});
