// A blind test of two versions, A and B: X is one of them, drawn anew after every answer.

import { element } from "./page.mjs";

export function buildBlind(key) {
  const names = ["A", "B", "X"].map((name) => element("span", {}, name));
  const inputs = names.map((_, place) => element("input", { type: "radio", name: `${key}-blind`, value: String(place) }));
  const labels = inputs.map((input, place) => element("label", { class: "listen-choice" }, input, names[place]));
  const answers = ["X is A", "X is B"].map((text) => element("button", { type: "button", class: "listen-test", disabled: "" }, text));
  const score = element("p", { class: "listen-score" });
  const legend = element("legend", {}, "Blind test: X is A or B. Which?");
  const node = element("fieldset", { hidden: "" }, legend, element("div", { class: "listen-choices" }, ...labels), element("div", { class: "listen-answers" }, ...answers, score));
  return { names, inputs, answers, score, node };
}

export class Blind {
  constructor(random = () => Math.random()) {
    this.random = random;
    this.restart();
  }

  // A score means something for one pair only: with another pair it starts again.
  restart() {
    Object.assign(this, { right: 0, total: 0 });
    this.draw();
  }

  draw() {
    this.x = this.random() < 0.5 ? 0 : 1;
    this.heard = false;
  }

  // Which of the two is meant by choice 0 (A), 1 (B) or 2 (X).
  hear(choice) {
    this.heard ||= choice === 2;
    return choice === 2 ? this.x : choice;
  }

  answer(guess) {
    const was = this.x;
    this.total += 1;
    this.right += guess === was ? 1 : 0;
    this.draw();
    return { hit: guess === was, was };
  }

  // How often guessing alone gets at least as many right: the upper tail of a binomial distribution.
  get chance() {
    let [ways, tail] = [1, 0];
    for (let hits = this.total; hits >= this.right; hits -= 1) {
      tail += ways;
      ways = (ways * hits) / (this.total - hits + 1);
    }
    return tail / 2 ** this.total;
  }

  get score() {
    const often = Math.round(100 * this.chance);
    return this.total ? `${this.right} of ${this.total} right; guessing alone does as well in ${often || "under 1"} % of such tests` : "no answer yet";
  }
}
