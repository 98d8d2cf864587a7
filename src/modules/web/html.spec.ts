import { describe, expect, it } from 'vitest';
import { escapeHtml, html } from './html.js';

describe('html', () => {
  it('escapes every character that could end a text or an attribute', () => {
    expect(escapeHtml(`&<>"'`)).toBe('&amp;&lt;&gt;&quot;&#39;');
    expect(html`<a title="${'" onclick="x'}">${'<b>'}</a>`.text).toBe('<a title="&quot; onclick=&quot;x">&lt;b&gt;</a>');
  });

  it('puts in numbers, templates and lists of templates as they are', () => {
    expect(html`${1}${html`<i>`}${[html`<b>`, html`${'&'}`]}`.text).toBe('1<i><b>&amp;');
  });
});
