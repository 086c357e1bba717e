"use strict";
(() => {
  const form = document.getElementById("filters");
  const rows = [...document.querySelectorAll("#changes tr[data-action]")].map(row => ({
    row, text: row.textContent.toLowerCase(), action: row.dataset.action,
    fields: JSON.parse(row.dataset.fields), why: JSON.parse(row.dataset.why),
  }));
  const control = id => document.getElementById(id);
  const apply = () => {
    const words = control("text").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [action, field, why] = ["action", "field", "why"].map(id => control(id).value);
    let left = 0;
    for (const entry of rows) {
      const shows = words.every(word => entry.text.includes(word)) && (!action || entry.action === action)
        && (!field || entry.fields.includes(field)) && (!why || entry.why.includes(why));
      entry.row.hidden = !shows;
      left += shows;
    }
    control("left").textContent = `${left} of ${rows.length}`;
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", event => event.preventDefault());
  apply();
})();
