// What scrolls sideways can be scrolled with the keyboard, too.
const sizes = new ResizeObserver((changed) => {
  for (const { target } of changed) {
    if (target.scrollWidth > target.clientWidth) target.setAttribute("tabindex", "0");
    else target.removeAttribute("tabindex");
  }
});
for (const it of document.querySelectorAll("pre, .table-wrapper, .text_html")) sizes.observe(it);
