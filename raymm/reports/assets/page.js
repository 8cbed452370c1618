"use strict";

document.querySelectorAll(".command").forEach((box) => {
  const button = box.querySelector("button");
  const text = box.querySelector("code");
  const done = () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy"; }, 2000); };
  const select = () => { getSelection().selectAllChildren(text); button.textContent = "Selected"; };
  button.hidden = false;
  button.addEventListener("click", () => {
    if (navigator.clipboard) navigator.clipboard.writeText(text.textContent).then(done, select);
    else select();
  });
});
