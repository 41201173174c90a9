// What pages need beyond HTML: parts that follow the store, values below the pointer, sorting, completion, the slider.
'use strict';

// What the server sent of each part that follows the store.
const sent = new Map([...document.querySelectorAll('[data-live]')].map((part) => [part.id, part.innerHTML]));

// Parts marked data-live are fetched again when the server says that something has changed.
const follow = () => {
  const address = document.body.dataset.events, line = document.getElementById('connection');
  if (!address) return;
  let source = null, isFetching = false, isWanted = false;
  const refresh = async () => {
    if (isFetching) { isWanted = true; return; }
    isFetching = true;
    try {
      const held = [...document.querySelectorAll('[data-live]')].map((part) => `${part.id}=${part.dataset.live}`).join('&');
      const answer = await fetch(location.href, { headers: { Accept: 'text/html', 'X-Live-Parts': held } });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        for (const old of document.querySelectorAll('[data-live]')) {
          const fresh = page.getElementById(old.id);
          // What somebody writes in just now stays.
          const isInUse = old.contains(document.activeElement) && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
          if (!fresh || isInUse) continue;
          old.dataset.live = fresh.dataset.live;
          if (fresh.innerHTML === sent.get(old.id)) continue;
          const open = [...old.querySelectorAll('details')].map((d) => d.open);
          const markup = fresh.innerHTML;
          old.innerHTML = markup;
          sent.set(old.id, markup);
          old.querySelectorAll('details').forEach((d, i) => { d.open = open[i] ?? d.open; });
          prepare(old);
        }
      }
    } catch { /* The next event tries again. */ }
    isFetching = false;
    if (isWanted) { isWanted = false; refresh(); }
  };
  const connect = () => {
    source = new EventSource(address);
    source.onopen = () => { line.textContent = 'live'; refresh(); };
    source.onerror = () => { line.textContent = 'not connected'; };
    source.addEventListener('change', refresh);
  };
  // A browser has few connections to one server; pages that nobody sees need none.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) { source.close(); line.textContent = ''; } else { connect(); }
  });
  if (!document.hidden) connect();
};

// Values of all curves at the pointer, or moved along with the arrow keys.
const tip = Object.assign(document.createElement('div'), { className: 'tip', hidden: true });
tip.setAttribute('role', 'status');
const axis = (text) => {
  const [low, high, kind] = text.split(' ');
  const [a, b] = kind === 'logarithmic' ? [Math.log(low), Math.log(high)] : [Number(low), Number(high)];
  return (part) => { const v = a + part * (b - a); return kind === 'logarithmic' ? Math.exp(v) : v; };
};
const shown = (value) => (Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? value.toExponential(3) : String(Number(value.toPrecision(4))));
const watch = (plot) => {
  const data = plot.querySelector('svg.data');
  if (!data) return;
  const [width, height] = [data.viewBox.baseVal.width - 8, data.viewBox.baseVal.height - 8];
  const [toX, toY] = [axis(data.dataset.x), axis(data.dataset.y)];
  const curves = new Map();
  for (const line of data.querySelectorAll('polyline[data-name]')) {
    const points = line.getAttribute('points').split(' ').map((p) => p.split(',').map(Number));
    curves.set(line.dataset.name, (curves.get(line.dataset.name) ?? []).concat(points));
  }
  if (!curves.size) return;
  const steps = [...new Set([...curves.values()].flat().map((p) => p[0]))].sort((a, b) => a - b);
  const mark = document.createElementNS('http://www.w3.org/2000/svg', 'line');
  mark.setAttribute('class', 'cursor');
  let place = steps.length - 1;
  const show = (x, left, top) => {
    const near = (points) => points.reduce((best, p) => (Math.abs(p[0] - x) < Math.abs(best[0] - x) ? p : best));
    const at = near([...curves.values()].flat());
    const rows = [...curves].map(([name, points]) => `${name}: ${shown(toY(1 - near(points)[1] / height))}`);
    tip.textContent = [`at ${shown(toX(at[0] / width))}`, ...rows.slice(0, 24)].join('\n');
    for (const [key, value] of Object.entries({ x1: at[0], x2: at[0], y1: 0, y2: height })) mark.setAttribute(key, value);
    data.append(mark);
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(left + 14, innerWidth - box.width - 4))}px`;
    tip.style.top = `${Math.max(4, Math.min(top + 14, innerHeight - box.height - 4))}px`;
  };
  const hide = () => { tip.hidden = true; mark.remove(); };
  plot.tabIndex = 0;
  plot.addEventListener('pointermove', (event) => {
    const box = data.getBoundingClientRect();
    if (event.clientX < box.left || event.clientX > box.right) { hide(); return; }
    show((event.clientX - box.left) / box.width * (width + 8) - 4, event.clientX, event.clientY);
  });
  plot.addEventListener('pointerleave', hide);
  plot.addEventListener('blur', hide);
  plot.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') { hide(); return; }
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    place = Math.max(0, Math.min(steps.length - 1, place + (event.key === 'ArrowLeft' ? -1 : 1)));
    const box = data.getBoundingClientRect();
    show(steps[place], box.left + (steps[place] + 4) / (width + 8) * box.width, box.top + 20);
    event.preventDefault();
  });
};

// Tables that sort by the column whose heading is pressed; what is missing comes last.
const sortable = (table) => {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (head.querySelector('button')) return;
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const isUp = head.getAttribute('aria-sort') !== 'ascending';
      heads.forEach((other) => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', isUp ? 'ascending' : 'descending');
      const value = (row) => row.cells[column].textContent.trim();
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === '–' || y === '–') return (x === '–') - (y === '–');
        const [m, n] = [parseFloat(x), parseFloat(y)];
        const order = Number.isNaN(m) || Number.isNaN(n) ? x.localeCompare(y, undefined, { numeric: true }) : m - n;
        return isUp ? order : -order;
      });
      table.tBodies[0].append(...rows);
    });
  });
};

// Keys of the query language below the word that is being written.
const completing = (input) => {
  const list = document.getElementById(input.getAttribute('aria-controls'));
  const keys = (document.getElementById(input.dataset.keys)?.textContent ?? '').split('\n').filter(Boolean);
  let found = [], chosen = -1;
  const word = () => /[\w.@-]*$/.exec(input.value.slice(0, input.selectionStart))[0];
  const close = () => { list.hidden = true; input.setAttribute('aria-expanded', 'false'); input.removeAttribute('aria-activedescendant'); chosen = -1; };
  const take = (key) => {
    const [end, length] = [input.selectionStart, word().length];
    input.value = input.value.slice(0, end - length) + key + input.value.slice(end);
    input.setSelectionRange(end - length + key.length, end - length + key.length);
    input.focus();
    close();
  };
  const draw = () => {
    list.replaceChildren(...found.map((key, i) => {
      const item = Object.assign(document.createElement('li'), { textContent: key, id: `option-${i}` });
      item.setAttribute('role', 'option');
      item.setAttribute('aria-selected', String(i === chosen));
      item.addEventListener('pointerdown', (event) => { event.preventDefault(); take(key); });
      return item;
    }));
    list.hidden = !found.length;
    input.setAttribute('aria-expanded', String(!!found.length));
    if (chosen >= 0) input.setAttribute('aria-activedescendant', `option-${chosen}`);
  };
  input.addEventListener('input', () => {
    const part = word();
    found = part ? keys.filter((key) => key !== part && key.includes(part)).sort((a, b) => b.startsWith(part) - a.startsWith(part)).slice(0, 12) : [];
    chosen = -1;
    draw();
  });
  input.addEventListener('keydown', (event) => {
    if (list.hidden) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      chosen = (chosen + (event.key === 'ArrowDown' ? 1 : found.length - 1) + (chosen < 0 && event.key === 'ArrowUp' ? 1 : 0)) % found.length;
      draw();
      event.preventDefault();
    } else if ((event.key === 'Enter' || event.key === 'Tab') && chosen >= 0) {
      take(found[chosen]);
      event.preventDefault();
    } else if (event.key === 'Escape') { close(); }
  });
  input.addEventListener('blur', close);
};

// One slider changes all pictures of the columns that it names, and where they lead.
const sliding = (slider) => {
  const output = document.getElementById(slider.getAttribute('aria-describedby'));
  const columns = document.getElementById(slider.dataset.moves);
  const names = slider.dataset.names.split('\n');
  const move = () => {
    for (const link of columns.querySelectorAll('a[data-places]')) {
      const place = link.dataset.places.split(' ')[slider.value];
      link.hidden = !place;
      const address = link.dataset.base + place;
      if (!place || link.getAttribute('href') === address) continue;
      link.href = address;
      link.firstElementChild.src = `${address}.png`;
    }
    output.textContent = names[slider.value];
    slider.setAttribute('aria-valuetext', names[slider.value]);
  };
  slider.addEventListener('input', move);
  move();
};

// Forms that post keep the reader on the page.
const posting = (form) => form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const says = form.querySelector('[role="status"]');
  const button = event.submitter;
  const fields = new URLSearchParams(new FormData(form, button ?? undefined));
  if (button) button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: 'POST', body: fields });
    if (answer.ok) {
      const next = new URL(answer.url);
      if (next.pathname + next.search === location.pathname + location.search) location.reload(); else location.assign(next);
      return;
    }
    if (says) says.textContent = await answer.text();
  } catch { if (says) says.textContent = 'The server does not answer.'; }
  if (button) button.disabled = false;
});

const prepare = (root) => {
  root.querySelectorAll('svg.plot').forEach(watch);
  root.querySelectorAll('table.sortable').forEach(sortable);
  root.querySelectorAll('input[data-keys]').forEach(completing);
  root.querySelectorAll('input[type="range"][data-names]').forEach(sliding);
  root.querySelectorAll('form[method="post"]').forEach(posting);
  root.querySelectorAll('form[data-now]').forEach((form) => form.addEventListener('change', () => form.requestSubmit()));
};
document.body.append(tip);
prepare(document);
follow();
