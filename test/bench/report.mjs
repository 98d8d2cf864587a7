const WIDTHS = [46, 12, 12, 8];
const row = (cells) => `${cells.map((cell, i) => (i < WIDTHS.length ? cell.padEnd(WIDTHS[i]) : cell)).join(' ')}\n`.replace(/ +\n$/, '\n');

/** Prints each figure as soon as it is known, beside its target. */
export class Report {
  missed = [];
  notRun = [];

  constructor(out) {
    this.out = out;
    this.say(row(['figure', 'measured', 'target', '', 'how']));
    this.say(`${'-'.repeat(120)}\n`);
  }

  say(text) {
    this.out.write(text);
  }

  /** @param measured a number that meets the target when it is not above it */
  figure(name, measured, target, { show = (value) => value.toFixed(2), note = '' } = {}) {
    const met = measured <= target;
    if (!met) this.missed.push(name);
    this.say(row([name, show(measured), `<= ${show(target)}`, met ? 'met' : 'MISSED', note]));
  }

  /** A number without a target. */
  information(name, text, note = '') {
    this.say(row([`  ${name}`, text, '', '', note]));
  }

  /** @param reason of a machine that lacks something, or of a part that failed */
  cannot(name, reason) {
    this.notRun.push(name);
    this.say(row([name, 'not run', '', '', reason]));
  }

  end() {
    this.say(`${'-'.repeat(120)}\n`);
    this.say(`missed: ${this.missed.join('; ') || 'none'}\nnot run: ${this.notRun.join('; ') || 'none'}\n`);
  }
}

/** 0.0357 is 1/28.0: how a cost that is a small part of another is read. */
export const asFraction = (value) => `1/${(1 / value).toFixed(1)}`;
