"""Fourteen kinds of noise made from nothing but seeded random numbers: rain, wind, engines, typing, traffic and so on.

Each kind is a function of a seeded generator and a length in samples; two seeds give two different scenes of that
kind (another engine, another keyboard, another street). `make` calls one of them and sets its level.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from grains import RATE, Wav, burst, drift, modes, onsets, place, room, seconds, shaped, swell, tone, unit, whistle
from numpy.random import Generator
from scipy import signal

Maker = Callable[[Generator, int], Wav]


def rain(rng: Generator, length: int) -> Wav:
    """Hiss of far drops, a patter of near ones, and some that hit a sill or a pane."""
    wav = shaped(rng, length, [(80, -24), (500, -10), (3000, 0), (8000, -5)]) * swell(rng, length, 2.5, -6, 2)
    patter = np.zeros(length)
    for _ in range(12):
        drop = burst(rng, rng.uniform(700, 2500), rng.uniform(3000, 7000), rng.uniform(1e-3, 3e-3))
        hits = np.zeros(length)
        hits[onsets(rng, length, rng.uniform(8, 30))] = 1
        hits *= rng.lognormal(0, 0.8, length)
        patter += signal.fftconvolve(hits, drop)[:length]
    sill = rng.uniform(350, 1200, 3)
    for start in onsets(rng, length, rng.uniform(3, 9)):
        knock = modes(sill * rng.uniform(0.97, 1.03, 3), [0.02, 0.012, 0.008], [1, 0.7, 0.5], 1600)
        place(patter, knock, int(start), rng.lognormal(0.3, 0.6))
    return wav + 0.5 * patter * swell(rng, length, 1.5, -4, 3)


def wind(rng: Generator, length: int) -> Wav:
    """Gusts: the stronger, the brighter; a gap somewhere whistles when a gust is strong."""
    gust = drift(rng, length, rng.uniform(0.7, 1.3), 0.1, 1) * drift(rng, length, 0.3, 0.6, 1)
    wav = np.zeros(length)
    for centre, power in ((60, 1.0), (150, 1.3), (400, 2.0), (1000, 3.0), (2500, 4.0)):
        curve = [(centre / 4, -30), (centre / 1.5, 0), (centre * 1.5, 0), (centre * 6, -30)]
        wav += shaped(rng, length, curve) * gust**power * (60 / centre) ** 0.45
    for start in rng.uniform(450, 1100, 2):
        pitch = start * (0.8 + 0.4 * gust) * drift(rng, length, 0.5, 0.97, 1.03)
        wav += 0.3 * whistle(rng, pitch, 25) * gust**4
    return wav


def fan(rng: Generator, length: int) -> Wav:
    """Ventilation: broad air noise, blade tones that flutter slightly, and the hum of the motor."""
    air = shaped(rng, length, [(40, -6), (150, 0), (600, -4), (2000, -14), (8000, -32)])
    blades = rng.uniform(45, 110) * drift(rng, length, 1.2, 0.995, 1.005)
    hum = np.full(length, float(rng.choice([50, 60])))
    wav = air * (1 + 0.12 * tone(blades / 5, [1], [1], rng)) * swell(rng, length, 2, -1, 1)
    wav += tone(blades, range(1, 7), 0.5 / np.arange(1, 7) ** 1.1, rng) * swell(rng, length, 0.7, -3, 1)
    wav += tone(hum, (2, 4, 6, 8, 12), rng.uniform(0.05, 0.25, 5), rng)
    rattle = whistle(rng, np.full(length, rng.uniform(1500, 3200)), 400)
    return wav + 0.04 * rattle * (1 + signal.square(2 * np.pi * np.cumsum(blades / 5) / RATE, 0.2))


def engine(rng: Generator, length: int) -> Wav:
    """A four-stroke engine that idles, pulls, and changes gear, heard from inside with rolling noise."""
    rpm = drift(rng, length, rng.uniform(1.2, 2.2), rng.uniform(800, 1300), rng.uniform(2300, 3600))
    rpm = rpm * drift(rng, length, 0.25, 0.994, 1.006)
    firing = rpm / 30
    orders = np.arange(1, 41) / 2
    body = 1 / (1 + ((orders * firing.mean() - rng.uniform(120, 260)) / 180) ** 2) + 0.05
    gains = body * rng.uniform(0.3, 1, 40) * np.where(orders % 1 == 0, 1, 0.35)
    pull = 0.4 + 0.6 * (rpm - rpm.min()) / (np.ptp(rpm) + 1)
    wav = unit(tone(firing, orders, gains, rng)) * pull
    pulses = np.maximum(0, np.sin(2 * np.pi * np.cumsum(firing) / RATE)) ** 4
    wav += 0.3 * shaped(rng, length, [(100, -12), (700, 0), (2500, -6), (8000, -24)]) * pulses * pull
    rolling = shaped(rng, length, [(30, 0), (90, 0), (400, -14), (2000, -28), (8000, -50)])
    return wav + rng.uniform(0.3, 0.6) * rolling * swell(rng, length, 1, -3, 2)


def _key(rng: Generator, case: Wav, loud: float) -> Wav:
    """One key: the click going down, the bottom of the stroke, the release."""
    wav = np.zeros(int(0.3 * RATE))
    place(wav, burst(rng, 1800, 6500, rng.uniform(1e-3, 2.5e-3)), 0, 0.5 * loud)
    bottom = modes(case * rng.uniform(0.93, 1.07, 4), [0.012, 0.009, 0.005, 0.003], [1, 0.8, 0.5, 0.4], 1600)
    place(wav, bottom, int(rng.uniform(0.006, 0.014) * RATE), loud)
    release = int(rng.uniform(0.06, 0.12) * RATE)
    place(wav, burst(rng, 2200, 7000, rng.uniform(8e-4, 2e-3)), release, 0.28 * loud)
    return wav


def keyboard(rng: Generator, length: int) -> Wav:
    """Typing in words with pauses for thought; the space bar is deeper; a little room and fan noise."""
    case = np.array([220, 480, 1150, 2600]) * rng.uniform(0.8, 1.3)
    pace = rng.uniform(0.09, 0.15)
    wav, now = np.zeros(length), 0.1
    while now < length / RATE - 0.3:
        for _ in range(rng.integers(2, 10)):
            place(wav, _key(rng, case, rng.lognormal(0, 0.25)), int(now * RATE))
            now += pace * rng.gamma(6, 1 / 6)
        place(wav, _key(rng, case * 0.6, 1.7), int(now * RATE))
        now += pace + (rng.uniform(0.3, 1.0) if rng.random() < 0.3 else 0.04)
    floor = shaped(rng, length, [(50, 0), (200, -3), (1000, -15), (8000, -40)])
    return room(rng, wav, 0.25, -8) + 0.012 * floor


def water(rng: Generator, length: int) -> Wav:
    """A brook or a tap: hundreds of bubbles a second, each a short rising tone, over a soft rush."""
    wav = 0.25 * shaped(rng, length, [(100, -20), (600, -6), (2500, 0), (8000, -14)]) * swell(rng, length, 1.5, -3, 2)
    centre = rng.uniform(700, 1300)
    for start in onsets(rng, length, rng.uniform(90, 220)):
        hertz = float(np.clip(centre * rng.lognormal(0, 0.55), 250, 6000))
        decay = 6.0 / hertz**0.9
        time = seconds(int(6 * decay * RATE))
        rise = rng.uniform(0, 0.12) / decay
        bubble = np.sin(2 * np.pi * hertz * (time + rise * time**2 / 2)) * np.exp(-time / decay)
        place(
            wav,
            bubble * np.minimum(1, time / 1e-3),
            int(start),
            0.5 * rng.lognormal(-0.6, 0.9) * (centre / hertz) ** 0.5,
        )
    return wav


def _pass_by(rng: Generator, length: int, closest: float) -> Wav:
    """One vehicle: tyres and engine, louder and brighter when near, its pitch falling as it passes."""
    speed, distance = rng.uniform(8, 17), rng.uniform(4, 12)
    away = speed * (seconds(length) - closest)
    far = np.sqrt(distance**2 + away**2)
    doppler = 1 / (1 + speed * away / far / 343)
    near = distance / far
    tyres = shaped(rng, length, [(60, -14), (400, -4), (1000, 0), (2500, -8), (8000, -26)])
    hum = shaped(rng, length, [(30, -6), (80, 0), (250, -6), (1000, -24), (8000, -60)])
    orders = np.arange(1, 13)
    motor = tone(rng.uniform(45, 85) * doppler, orders, rng.uniform(0.2, 1, 12) / orders, rng)
    return tyres * near**1.4 + hum * near**0.7 + 0.6 * unit(motor) * near**0.9


def traffic(rng: Generator, length: int) -> Wav:
    """A street: steady rumble of a town, cars that pass, now and then a horn."""
    wav = 0.35 * shaped(rng, length, [(25, -4), (70, 0), (300, -10), (1500, -22), (8000, -45)])
    wav *= swell(rng, length, 2, -3, 3)
    span = length / RATE
    count = max(2, round(span / rng.uniform(3.0, 4.5)))
    for closest in np.linspace(0.5, span - 0.5, count) + rng.uniform(-0.8, 0.8, count):
        wav += _pass_by(rng, length, float(closest)) * rng.lognormal(0, 0.35)
    if rng.random() < 0.5:
        horn = np.full(int(rng.uniform(0.25, 0.6) * RATE), rng.uniform(380, 440))
        sound = tone(horn, range(1, 12), 1 / np.arange(1, 12), rng) + tone(
            1.26 * horn, range(1, 10), 1 / np.arange(1, 10), rng
        )
        edge = np.minimum(1, np.minimum(seconds(len(horn)), seconds(len(horn))[::-1]) / 0.02)
        place(wav, 0.5 * unit(sound) * edge, int(rng.uniform(0.1, 0.8) * length))
    return room(rng, wav, 0.6, -9)


def clatter(rng: Generator, length: int) -> Wav:
    """Crockery, cutlery and wood being moved about in a kitchen, in flurries."""
    wav, now = np.zeros(length), 0.05
    while now < length / RATE:
        dish = np.sort(rng.uniform(900, 6500, 7))
        ring = rng.choice([0.015, 0.05, 0.14])
        pitch = 0.25 if ring < 0.02 else 1.0
        for _ in range(rng.integers(1, 8)):
            decays = ring * (1200 / dish) ** 0.4 * rng.uniform(0.5, 1.2, 7)
            hit = modes(pitch * dish, decays, rng.uniform(0.1, 1, 7), int(0.6 * RATE))
            loud = rng.lognormal(-0.2, 0.6)
            place(wav, hit, int(now * RATE), loud)
            place(wav, burst(rng, 1500, 7000, 2e-3), int(now * RATE), 0.4 * loud)
            now += rng.gamma(2, 0.045) + 0.02
        now += rng.gamma(1.5, 0.25)
    floor = shaped(rng, length, [(50, 0), (200, -3), (1000, -12), (8000, -36)])
    return room(rng, wav, 0.45, -6) + 0.01 * floor


def machine(rng: Generator, length: int) -> Wav:
    """A machine with a working cycle: thumps, clacks and puffs at fixed places of each turn, and a motor."""
    period = rng.uniform(0.35, 0.9)
    events = []
    for _ in range(rng.integers(3, 6)):
        low = rng.uniform(70, 1600)
        body = modes(low * rng.uniform(1, 4, 4), rng.uniform(0.008, 0.06, 4), rng.uniform(0.3, 1, 4), 4000)
        events.append((rng.uniform(0, period), unit(body), rng.uniform(0.3, 1)))
    puff = burst(rng, 800, 5000, rng.uniform(0.03, 0.09))
    wav, now = np.zeros(length), -rng.uniform(0, period)
    while now < length / RATE:
        for offset, body, gain in events:
            place(wav, body, int((now + offset + rng.normal(0, 0.003)) * RATE), gain * rng.lognormal(0, 0.12))
        place(wav, puff, int((now + 0.7 * period) * RATE), 0.35)
        now += period * rng.normal(1, 0.006)
    motor = rng.uniform(95, 240) * drift(rng, length, 1, 0.99, 1.01)
    whine = tone(motor, (1, 2, 3, 5, 8, 13), rng.uniform(0.1, 1, 6) / np.array([1, 1.5, 2, 3, 4, 5]), rng)
    air = shaped(rng, length, [(60, -6), (300, 0), (2000, -12), (8000, -30)])
    return room(rng, unit(wav) + 0.35 * unit(whine) + 0.3 * air, 0.4, -8)


def birds(rng: Generator, length: int) -> Wav:
    """Three birds, each with a motif of gliding notes that it repeats, over rustling leaves."""
    wav = np.zeros(length)
    for loud in (1.0, 0.5, 0.25):
        notes = [
            (rng.uniform(2300, 5200), rng.uniform(-1.2, 1.2), rng.uniform(0.04, 0.16))
            for _ in range(rng.integers(3, 7))
        ]
        now = rng.uniform(0, 1.2)
        while now < length / RATE:
            for hertz, glide, span in notes:
                time = seconds(int(span * RATE))
                pitch = np.clip(
                    hertz * 2 ** (glide * time / span) * (1 + 0.02 * np.sin(2 * np.pi * 45 * time)), 1500, 7200
                )
                note = tone(pitch, (1, 2), (1, 0.12), rng) * np.sin(np.pi * time / span) ** 0.7
                place(wav, note, int(now * RATE), loud * rng.lognormal(0, 0.15))
                now += span + rng.uniform(0.01, 0.06)
            now += rng.gamma(3, 0.35)
    leaves = shaped(rng, length, [(200, -20), (1500, -4), (4000, 0), (8000, -6)]) * swell(rng, length, 0.8, -14, 2)
    return room(rng, wav, 0.8, -10) + 0.05 * leaves


def footsteps(rng: Generator, length: int) -> Wav:
    """Somebody walks by: heel, then sole, on a floor between boards and gravel."""
    gravel = rng.uniform(0.1, 1)
    board = rng.uniform(70, 160, 3) * np.array([1, 2.3, 4.1])
    wav, now, pace = np.zeros(length), 0.2, rng.uniform(0.42, 0.6)
    while now < length / RATE:
        loud = rng.lognormal(0, 0.15)
        for delay, part in ((0.0, 1.0), (rng.uniform(0.07, 0.12), 0.55)):
            heel = modes(board, [0.03, 0.02, 0.012], [1, 0.6, 0.4], 4000)
            place(wav, heel, int((now + delay) * RATE), loud * part * (1.3 - gravel))
            for _ in range(int(40 * gravel)):
                grit = burst(rng, 1500, 7000, rng.uniform(5e-4, 2e-3))
                place(
                    wav, grit, int((now + delay + abs(rng.normal(0, 0.03))) * RATE), 0.25 * loud * part * rng.random()
                )
        now += pace * rng.normal(1, 0.03)
    walk = 1 / (0.35 + np.abs(seconds(length) / (length / RATE) - rng.uniform(0.2, 0.8)))
    air = shaped(rng, length, [(50, 0), (300, -6), (2000, -18), (8000, -36)])
    return room(rng, wav * walk, 0.7, -7) + 0.03 * air


def _siren(rng: Generator, length: int) -> Wav:
    """An emergency vehicle that comes nearer and passes: wail, yelp or two tones."""
    time = seconds(length)
    period, low, high = [(4.2, 620, 1350), (0.33, 700, 1400), (1.1, 440, 585)][rng.integers(3)]
    turn = (time / period + rng.uniform(0, 1)) % 1
    sweep = np.where(turn < 0.5, 2 * turn, 2 - 2 * turn) if period != 1.1 else np.round(turn)
    passing = (time - rng.uniform(0.4, 0.8) * length / RATE) * rng.uniform(9, 16)
    far = np.sqrt(rng.uniform(15, 30) ** 2 + passing**2)
    hertz = low * (high / low) ** sweep * (1 - 0.035 * passing / far)
    wav = tone(hertz, range(1, 10), 1 / np.arange(1, 10) ** 1.3, rng) * (20 / far)
    street = shaped(rng, length, [(30, 0), (100, 0), (1000, -20), (8000, -45)])
    return room(rng, wav, 0.9, -5) + 0.12 * street


def _beeps(rng: Generator, length: int) -> Wav:
    """A smoke alarm or a reversing lorry: groups of steady beeps."""
    hertz, on, off, group, rest = [
        (3150.0, 0.5, 0.5, 3, 1.0),
        (1250.0, 0.45, 0.5, 1, 0.0),
        (2050.0, 0.08, 0.08, 4, 0.45),
    ][rng.integers(3)]
    steady = np.full(int(on * RATE), hertz * rng.uniform(0.95, 1.05))
    edge = np.minimum(1, np.minimum(seconds(len(steady)), seconds(len(steady))[::-1]) / 0.004)
    beep = tone(steady, (1, 2, 3), (1, 0.25, 0.15), rng) * edge
    wav, now = np.zeros(length), 0.1
    while now < length / RATE:
        for _ in range(group):
            place(wav, beep, int(now * RATE))
            now += on + off
        now += rest
    hall = shaped(rng, length, [(50, 0), (200, 0), (1500, -16), (8000, -40)])
    return room(rng, wav, 0.5, -4) + 0.06 * hall


def alarm(rng: Generator, length: int) -> Wav:
    """Sirens and beeping alarms, one after the other."""
    half = length // 2
    edge = np.minimum(1, np.minimum(seconds(half), seconds(half)[::-1]) / 0.1)
    parts = [_siren(rng, half) * edge, unit(_beeps(rng, length - half)[:half]) * edge]
    return np.concatenate([unit(parts[0]), parts[1], np.zeros(length - 2 * half)])


def cicadas(rng: Generator, length: int) -> Wav:
    """A summer field: cicadas that swell and fade, crickets that chirp in step with themselves."""
    wav = 0.05 * shaped(rng, length, [(100, -6), (800, -6), (5000, 0), (8000, -6)])
    time = seconds(length)
    for _ in range(4):
        rattle = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(70, 180) * time)
        call = whistle(rng, np.full(length, rng.uniform(4300, 6800)), rng.uniform(250, 900))
        wav += call * rattle**2 * swell(rng, length, rng.uniform(1.0, 2.5), -26, 0) * rng.uniform(0.5, 1)
    for _ in range(3):
        pulse, rate, phase = rng.uniform(28, 40), rng.uniform(1.8, 3.2), rng.uniform(0, 1)
        chirp = ((rate * time + phase) % 1 < 3.0 * rate / pulse) * np.maximum(0, np.sin(2 * np.pi * pulse * time))
        wav += rng.uniform(0.4, 1.2) * chirp * np.sin(2 * np.pi * rng.uniform(3600, 4900) * time)
    return room(rng, wav, 0.3, -12)


def drill(rng: Generator, length: int) -> Wav:
    """A power drill: the motor spins up, bogs down under load, stops; now and then the hammer is on."""
    speed, load = np.zeros(length), np.zeros(length)
    now = 0.15
    while now < length / RATE - 0.5:
        run = rng.uniform(1.2, 3.5)
        first, last = int(now * RATE), min(length, int((now + run) * RATE))
        speed[first:last] = 1
        load[int((now + 0.35) * RATE) : last] = rng.uniform(0.5, 1)
        now += run + rng.uniform(0.4, 1.2)
    smooth = signal.butter(1, 2.2, fs=RATE, output="sos")
    speed = np.asarray(signal.sosfilt(smooth, speed)).clip(0, 1)
    load = np.asarray(signal.sosfilt(smooth, load)).clip(0, 1) * drift(rng, length, 0.25, 0.7, 1)
    turns = rng.uniform(210, 330) * speed * (1 - 0.25 * load) + 1
    orders = (1, 2, 3, 4, 6, 7, 9, 14, 21)
    wav = (
        unit(tone(turns, orders, rng.uniform(0.3, 1, 9) * (1, 0.6, 0.5, 0.4, 0.3, 0.8, 0.3, 0.5, 0.25), rng)) * speed**2
    )
    grind = shaped(rng, length, [(200, -20), (1500, -3), (4000, 0), (8000, -6)])
    hammer = np.maximum(0, np.sin(2 * np.pi * np.cumsum(turns / 6) / RATE)) ** 12 * (rng.random() < 0.7)
    wav += grind * load * speed * (0.3 + 1.6 * hammer)
    site = shaped(rng, length, [(40, 0), (200, -2), (1500, -14), (8000, -36)])
    return room(rng, wav, 0.5, -7) + 0.05 * site


KINDS: dict[str, Maker] = {
    "rain": rain,
    "wind": wind,
    "fan": fan,
    "engine": engine,
    "keyboard": keyboard,
    "water": water,
    "traffic": traffic,
    "clatter": clatter,
    "machine": machine,
    "birds": birds,
    "footsteps": footsteps,
    "alarm": alarm,
    "cicadas": cicadas,
    "drill": drill,
}
"""Every kind that is computed; the fifteenth, the crowd, is made of the voices (see `make.py`)."""


def make(kind: str, seed: int, length: int) -> Wav:
    """A scene of `kind`, shape (length,), RMS 1, free of rumble below 30 Hz; the same seed gives the same scene."""
    rng = np.random.default_rng([seed, sum(kind.encode())])
    wav = KINDS[kind](rng, length)
    return unit(np.asarray(signal.sosfilt(signal.butter(2, 30, "highpass", fs=RATE, output="sos"), wav)))
