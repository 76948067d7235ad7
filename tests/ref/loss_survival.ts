/** Cox's partial likelihood in float64, by Breslow or Efron, over the events; 0 without any. */
export function coxRef(
  eta: ArrayLike<number>,
  times: ArrayLike<number>,
  events: ArrayLike<number>,
  ties: "breslow" | "efron",
): number {
  const n = times.length;
  const rows = Array.from({ length: n }, (_, i) => i);
  const D = rows.filter((i) => events[i]).length;
  let loss = 0;
  for (const time of new Set(rows.filter((i) => events[i]).map((i) => times[i]!))) {
    const failed = rows.filter((i) => events[i] && times[i] === time);
    const sum = (of: readonly number[]) => of.reduce((total, i) => total + Math.exp(eta[i]!), 0);
    const atRisk = sum(rows.filter((i) => times[i]! >= time));
    failed.forEach((i, l) => {
      const less = ties === "efron" ? l / failed.length * sum(failed) : 0;
      loss -= (eta[i]! - Math.log(atRisk - less)) / D;
    });
  }
  return loss;
}

/** Negative log-likelihood of survival in intervals in float64, the mean over cases. */
export function discreteSurvivalRef(
  logits: ArrayLike<number>,
  count: number,
  intervals: ArrayLike<number>,
  events: ArrayLike<number>,
): number {
  let loss = 0;
  for (let b = 0; b < intervals.length; b++) {
    for (let k = 0; k <= intervals[b]!; k++) {
      const hazard = 1 / (1 + Math.exp(-logits[b * count + k]!));
      loss -= Math.log(k === intervals[b] && events[b] ? hazard : 1 - hazard) / intervals.length;
    }
  }
  return loss;
}
