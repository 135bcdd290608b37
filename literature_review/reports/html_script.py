"""The page's one script: a filter over gaps and claims, and folded lists opened for printing.

It only hides and shows what is on the page; it makes no markup, reads no address and asks for nothing.
"""

from __future__ import annotations

SCRIPT = """
"use strict";
(function () {
  var bar = document.getElementById("filter"), words = document.getElementById("words");
  var found = document.getElementById("found"), waiting = 0;
  var blocks = Array.prototype.slice.call(document.querySelectorAll(".sub")).map(function (block) {
    return {
      block: block,
      counts: !block.classList.contains("pointer"),
      head: Array.prototype.map.call(block.querySelectorAll("h3, h5, .where, .why"), read).join(" "),
      items: Array.prototype.map.call(block.querySelectorAll(".claims > li"), function (item) {
        return { item: item, text: read(item) };
      })
    };
  });
  function read(node) { return node.textContent.toLowerCase().replace(/\\s+/g, " "); }
  function apply() {
    var wanted = read({ textContent: words.value }).trim(), shown = 0, all = 0;
    blocks.forEach(function (entry) {
      var whole = entry.head.indexOf(wanted) >= 0, some = 0;
      entry.items.forEach(function (claim) {
        var fits = whole || claim.text.indexOf(wanted) >= 0;
        claim.item.hidden = !fits;
        if (fits) { some += 1; }
        var folded = claim.item.closest("details");
        if (folded && wanted && !whole && fits) { folded.open = true; }
      });
      entry.block.hidden = !(whole || some);
      if (entry.counts) { all += 1; shown += whole || some ? 1 : 0; }
    });
    document.querySelectorAll(".requirement").forEach(function (group) {
      group.hidden = !group.querySelector(".sub:not([hidden])");
    });
    found.textContent = wanted ? shown + " of " + all + " sub-requirements" : "";
  }
  if (bar && blocks.length) {
    bar.hidden = false;
    words.addEventListener("input", function () {
      clearTimeout(waiting);
      waiting = setTimeout(apply, 150);
    });
  }
  var opened = [];
  addEventListener("beforeprint", function () {
    opened = Array.prototype.slice.call(document.querySelectorAll("details:not([open])"));
    opened.forEach(function (fold) { fold.open = true; });
  });
  addEventListener("afterprint", function () {
    opened.forEach(function (fold) { fold.open = false; });
  });
}());
"""
