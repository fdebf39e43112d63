// Bets: the policy against each control; every bet is settled by the interval of the difference, drawn on one axis.

import { added } from "./page.mjs";

const CHOICES = { policy: "the policy wins", neither: "no difference", control: "the control wins" };
const AXIS = { width: 320, height: 26, pad: 10 };

/** What is said after a bet. */
export function settled(round, bet, metric) {
  const right = bet === round.won;
  return { right, text: `${right ? "You win" : "You lose"}: ${CHOICES[round.won]}. ${metric} over the policy: ${round.said}.` };
}

/** What is said when all bets are settled. */
export function summary(bets, rounds) {
  const won = rounds.filter((round, k) => bets[k] === round.won).length;
  return `You won ${won} of ${rounds.length} bets.`;
}

/** Half the axis: the farthest end of any interval, so that all rows share one scale with 0 in the middle. */
export const reach = (rounds) => Math.max(...rounds.flatMap(({ ends }) => ends.map(Math.abs)), 1e-9);

function picture({ ends, label }, most) {
  const { width, height, pad } = AXIS;
  const [mean, low, high] = ends.map((value) => width / 2 + (value / most) * (width / 2 - pad));
  const y = height / 2;
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}: the interval from ${ends[1]} to ${ends[2]}">
    <line class="zero" x1="${width / 2}" x2="${width / 2}" y1="0" y2="${height}"/>
    <line class="interval" x1="${low}" x2="${high}" y1="${y}" y2="${y}"/><circle cx="${mean}" cy="${y}" r="4"/></svg>`;
}

export function render(root, { rounds, metric }) {
  const box = added(root, "div", { class: "dsn-panel dsn-bets" });
  const bets = rounds.map(() => null);
  const most = reach(rounds);
  const total = () => (end.textContent = bets.every(Boolean) ? summary(bets, rounds) : "");
  rounds.forEach((round, k) => {
    const group = added(box, "fieldset");
    const legend = added(group, "legend");
    added(legend, "strong", {}, round.label);
    added(legend, "span", {}, `: ${round.opens}`);
    const row = added(group, "div", { class: "choices" });
    const buttons = Object.entries(CHOICES).map(([bet, text]) => {
      const button = added(row, "button", { type: "button", "aria-pressed": "false" }, text);
      button.addEventListener("click", () => {
        bets[k] = bet;
        const { right, text: said } = settled(round, bet, metric);
        buttons.forEach((other) => {
          other.setAttribute("aria-pressed", String(other === button));
          other.disabled = true;
        });
        drawn.innerHTML = picture(round, most);
        told.textContent = said;
        told.dataset.kind = right ? "right" : "wrong";
        total();
      });
      return button;
    });
    const drawn = added(group, "div", { class: "picture" });
    const told = added(group, "p", { role: "status" });
  });
  const end = added(box, "p", { class: "end", role: "status" });
}
