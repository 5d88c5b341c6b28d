"use strict";
// Draws the records of the page.  Nothing is judged here: outcomes are looked up.
const page = JSON.parse(document.getElementById("page").textContent);
const at = { mount: 0, point: 0, picks: null, search: "" };
const $ = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
        else if (value !== null && value !== undefined && value !== false)
            node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
}

const mountHere = () => page.mounts[at.mount];
const pointHere = () => mountHere().points[at.point];
const crashAt = (mount, point) => page.crashes[mount.points[point].crash];
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

// ---- cells ----

function cellBox(colour, classes = "") {
    const single = colour !== null && !colour.includes("|");
    const style = single ? `background: var(--c-${colour})` : null;
    const title = single ? page.colours[colour] || colour : null;
    return make("span", { class: `cell ${classes}`, style, title }, colour === null ? "-" : colour);
}

function cellStrip(colours) {
    return make("span", { class: "cells" }, ...colours.map((colour) => cellBox(colour)));
}

function fileStrip(file, wrong, number) {
    const strip = make("span", { class: "cells" });
    if (file.deleted) return make("span", {}, "deleted");
    file.cells.forEach((colour, cell) => {
        if (cell === file.size_cells) strip.append(make("span", { class: "eof" }, "EOF"));
        const bad = wrong.some((each) => each.inode === number && each.cell === cell);
        const classes = [
            bad ? "wrong" : "",
            cell >= file.size_cells ? "beyond" : "",
            colour === null ? "none" : "",
        ].join(" ");
        strip.append(cellBox(colour, classes));
    });
    if (file.size_cells === file.cells.length) strip.append(make("span", { class: "eof" }, "EOF"));
    return strip;
}

function fileStrips(files, wrong = []) {
    return files.map((file, number) =>
        make("div", {}, files.length > 1 ? `inode ${number} ` : "", fileStrip(file, wrong, number)),
    );
}

// ---- head ----

function drawHead() {
    const word = page.verdict === "violated" ? "bad" : "";
    const about = make("dl", { id: "about" });
    for (const [name, text] of page.about) {
        about.append(make("dt", {}, name), make("dd", {}, text));
    }
    page.mounts.forEach((mount, number) => {
        const name = page.mounts.length > 1 ? `mount ${number + 1}` : "calls";
        about.append(
            make("dt", {}, name),
            make("dd", { class: "mono" }, mount.calls.join("  |  ")),
        );
    });
    const button = (text, title, action) => make("button", { title, onclick: action }, text);
    const tabs = page.mounts.map((_, number) =>
        button(`mount ${number + 1}`, "show this mount", () => go(number, 0)),
    );
    const search = make("input", {
        id: "search",
        placeholder: "search",
        size: 14,
        oninput: () => {
            at.search = search.value.toLowerCase();
            mark();
        },
    });
    $("head").append(
        make(
            "h1",
            {},
            make("span", { class: word }, `${page.prop} ${page.verdict}`),
            `: ${page.summary}`,
        ),
        make("div", { class: "legend" }, page.statement),
        about,
        make(
            "nav",
            {},
            ...(tabs.length > 1 ? tabs : []),
            button("first", "g", () => go(at.mount, 0)),
            button("back", "k", () => move(-1)),
            button("step", "j", () => move(1)),
            button("last", "G", last),
            button("next that carries", "n", () => carrying(1)),
            button("next bad crash", "b", () => bad(1)),
            search,
            button("theme", "t", theme),
            button("?", "?", help),
        ),
    );
}

// ---- lanes ----

const LOCK_COLOURS = [
    "#1e88e5",
    "#8e24aa",
    "#43a047",
    "#fb8c00",
    "#e53935",
    "#00897b",
    "#6d4c41",
    "#546e7a",
];
const lockSlots = new Map();

function lockColour(name) {
    const kind = name.replace(/ \(r\)$/, "").replace(/ \d+.*$/, "");
    if (!lockSlots.has(kind))
        lockSlots.set(kind, LOCK_COLOURS[lockSlots.size % LOCK_COLOURS.length]);
    return lockSlots.get(kind);
}

const barLeft = (slot) => 2 + 5 * Math.min(slot, 4);

function bars(held, slots) {
    for (const name of [...slots.keys()]) if (!held.includes(name)) slots.delete(name);
    const taken = new Set(slots.values());
    for (const name of held) {
        if (slots.has(name)) continue;
        let slot = 0;
        while (taken.has(slot)) slot += 1;
        slots.set(name, slot);
        taken.add(slot);
    }
    return held.map((name) =>
        make("span", {
            class: name.endsWith("(r)") ? "bar shared" : "bar",
            title: `holds ${name}`,
            style: `left: ${barLeft(slots.get(name))}px; background-color: ${lockColour(name)}`,
        }),
    );
}

function crashBadge(crash) {
    const wrong = crash.outcomes.filter((one) => one.wrong.some((each) => each.prop === page.prop));
    const other = crash.outcomes.filter((one) => one.wrong.some((each) => !each.advisory));
    const count = (outcomes) => outcomes.reduce((sum, one) => sum + one.images, 0);
    const text = (n) => `${n}/${crash.judged}${crash.judged < crash.images ? "+" : ""}`;
    if (wrong.length)
        return make(
            "span",
            { class: "badge bad", title: "bad images of a crash here" },
            text(count(wrong)),
        );
    if (other.length)
        return make(
            "span",
            { class: "badge warn", title: "images that break another property" },
            text(count(other)),
        );
    return make("span", { class: "badge", title: "images of a crash here, none bad" }, text(0));
}

function drawLanes() {
    const mount = mountHere();
    const lanes = $("lanes");
    lanes.replaceChildren();
    lanes.style.setProperty("--lanes", mount.threads.length);
    lanes.append(
        make(
            "div",
            { class: "names" },
            make("span", {}),
            make("span", { title: "bad images of a crash there" }, "crash"),
            ...mount.threads.map((name) => make("span", { class: "lane", title: name }, name)),
        ),
    );
    const slots = mount.threads.map(() => new Map());
    mount.points.forEach((point, number) => {
        const step = number ? mount.steps[number - 1] : null;
        const row = make("div", {
            class: `row ${step ? step.role : ""}`,
            id: `row${number}`,
            onclick: () => go(at.mount, number),
        });
        row.append(
            make(
                "span",
                { class: "no" },
                number ? `${number}${step.role === "carrying" ? "*" : ""}` : "start",
            ),
            make("span", {}, crashBadge(page.crashes[point.crash])),
        );
        mount.threads.forEach((name, thread) => {
            const here = point.threads[thread];
            const lane = make("span", {
                class: "lane",
                title: `${name}: ${here.status} ${here.place}`,
            });
            lane.append(...bars(here.holds, slots[thread]));
            const before = number ? mount.points[number - 1].threads[thread] : here;
            if (
                step &&
                step.thread !== thread &&
                before.status === "wait" &&
                here.status === "run"
            ) {
                lane.append(make("span", { class: "woken", title: `${name} can go on` }));
            }
            if (step && step.thread === thread) {
                lane.append(
                    make(
                        "span",
                        { class: thread >= mount.threads.length / 2 ? "act leftwards" : "act" },
                        step.call.endsWith(")")
                            ? `${step.function}(): ${step.call}`
                            : `${step.function}()`,
                    ),
                );
            }
            row.append(lane);
        });
        lanes.append(row);
    });
    const end = mount.cut
        ? "power cut"
        : `the run ends here${mount.waiting.length ? ": " + mount.waiting.join("; ") : ""}`;
    lanes.append(make("div", { class: "power" }, end));
    mark();
    drawBios();
}

function drawBios() {
    const lanes = $("lanes");
    lanes.querySelector("svg")?.remove();
    const mount = mountHere();
    let paths = "";
    for (const bio of mount.bios) {
        if (!bio.submitted || !bio.completed) continue;
        const from = spot(mount, bio.submitted);
        const to = spot(mount, bio.completed);
        if (!from || !to) continue;
        const bend = Math.max(12, (to.y - from.y) / 2);
        const curve = `C${from.x},${from.y + bend} ${to.x},${to.y - bend} ${to.x},${to.y}`;
        const tip = `M${to.x - 3},${to.y - 6} L${to.x + 3},${to.y - 6} L${to.x},${to.y} Z`;
        paths += `<path d="M${from.x},${from.y} ${curve}"/><path class="tip" d="${tip}"/>`;
    }
    const size = `width="${lanes.scrollWidth}" height="${lanes.scrollHeight}"`;
    lanes.insertAdjacentHTML("beforeend", `<svg class="bios" ${size}>${paths}</svg>`);
}

function spot(mount, number) {
    const row = $(`row${number}`);
    const lane = row?.children[2 + mount.steps[number - 1].thread];
    return lane ? { x: lane.offsetLeft + 20, y: row.offsetTop + row.offsetHeight / 2 } : null;
}

function mark() {
    const mount = mountHere();
    mount.points.forEach((_, number) => {
        const row = $(`row${number}`);
        row.classList.toggle("here", number === at.point);
        const step = number ? mount.steps[number - 1] : null;
        const text = step
            ? `${step.function} ${step.call} ${step.changes.join(" ")}`.toLowerCase()
            : "";
        row.classList.toggle("found", Boolean(at.search) && text.includes(at.search));
    });
    show($(`row${at.point}`));
}

function show(row) {
    // Scrolls the lanes alone: the head of the page stays where the reader has it.
    const run = $("run");
    const above = row.offsetTop - row.offsetHeight;
    const below = row.offsetTop + 2 * row.offsetHeight - run.clientHeight;
    if (run.scrollTop > above) run.scrollTop = above;
    else if (run.scrollTop < below) run.scrollTop = below;
}

// ---- the panes ----

function drawState() {
    const now = page.states[pointHere().state];
    const before = at.point ? page.states[mountHere().points[at.point - 1].state] : now;
    const known = new Map(
        before.flatMap((part) =>
            part.rows.map((row) => [`${part.name}/${row.key}`, JSON.stringify(row)]),
        ),
    );
    const pane = $("state");
    const step = at.point ? mountHere().steps[at.point - 1] : null;
    pane.replaceChildren(
        make("h2", {}, at.point ? `state after step ${at.point}` : "state at the start"),
    );
    if (step && step.changes.length) {
        pane.append(
            make("ul", { id: "changes" }, ...step.changes.map((line) => make("li", {}, line))),
        );
    }
    for (const part of now) {
        const rows = part.rows.map((row) => {
            const changed = known.get(`${part.name}/${row.key}`) !== JSON.stringify(row);
            return make(
                "div",
                { class: changed ? "changed" : "" },
                `${row.text} `,
                row.cells.length ? cellStrip(row.cells) : null,
            );
        });
        pane.append(
            make(
                "div",
                { class: "part" },
                make("b", {}, part.name),
                ...(rows.length ? rows : [make("div", {}, "none held")]),
            ),
        );
    }
}

function wrongWords(wrong) {
    return wrong.map((each) =>
        make("div", { class: each.advisory ? "legend" : "badword" }, `${each.prop}: ${each.text}`),
    );
}

function drawCrash() {
    const crash = crashAt(mountHere(), at.point);
    const pane = $("crash");
    const wrong = crash.outcomes.filter((one) => one.wrong.some((each) => !each.advisory));
    const count = wrong.reduce((sum, one) => sum + one.images, 0);
    const all =
        crash.judged < crash.images
            ? `the first ${crash.judged} of ${crash.images} images`
            : plural(crash.images, "image");
    pane.replaceChildren(
        make("h2", {}, `crash here: ${all}, ${count} bad`),
        make("div", { class: "legend" }, crash.journal.join("; ")),
    );
    const picked = picks(crash);
    if (crash.choice.length && crash.free.length) {
        const choose = make("div", { id: "picks" });
        crash.free.forEach((cell, number) => {
            const box = make(
                "select",
                {
                    onchange: () => {
                        at.picks[number] = box.selectedIndex;
                        drawCrash();
                    },
                },
                ...cell.colours.map((colour) => make("option", {}, colour)),
            );
            box.selectedIndex = picked[number];
            choose.append(
                make("label", { class: "pick" }, `p${cell.block} cell ${cell.cell} `, box),
            );
        });
        pane.append(make("div", {}, "what survives: ", choose));
    }
    const chosen = chosenOutcome(crash, picked);
    crash.outcomes.forEach((outcome, number) => {
        pane.append(
            make(
                "div",
                { class: `outcome ${number === chosen ? "chosen" : ""}`, id: `outcome${number}` },
                make("span", { class: "legend" }, `${plural(outcome.images, "image")} `),
                ...fileStrips(outcome.files, outcome.wrong),
                ...wrongWords(outcome.wrong),
            ),
        );
    });
}

function picks(crash) {
    if (!at.picks || at.picks.length !== crash.free.length) at.picks = startPicks(crash);
    return at.picks;
}

function startPicks(crash) {
    // At the trace's own power cut: what the trace left.  Elsewhere: the first bad outcome.
    const mount = mountHere();
    if (mount.cut && at.point === mount.steps.length) {
        return crash.free.map((cell) =>
            Math.max(
                0,
                cell.colours.indexOf(mount.cut[cell.block * page.cells_per_block + cell.cell]),
            ),
        );
    }
    const bad = crash.choice.findIndex((number) =>
        crash.outcomes[number].wrong.some((each) => !each.advisory),
    );
    return unpack(crash, Math.max(0, bad));
}

function unpack(crash, index) {
    const picked = crash.free.map(() => 0);
    for (let n = crash.free.length - 1; n >= 0; n -= 1) {
        picked[n] = index % crash.free[n].colours.length;
        index = Math.floor(index / crash.free[n].colours.length);
    }
    return picked;
}

function chosenOutcome(crash, picked) {
    if (!crash.choice.length) return -1;
    return crash.choice[
        crash.free.reduce((index, cell, n) => index * cell.colours.length + picked[n], 0)
    ];
}

function drawFile() {
    const mount = mountHere();
    const pane = $("file");
    pane.replaceChildren(
        make("h2", {}, page.mounts.length > 1 ? `the file in mount ${at.mount + 1}` : "the file"),
    );
    pane.append(make("div", {}, "at mount ", ...fileStrips(mount.start)));
    if (mount.left)
        pane.append(
            make(
                "div",
                {},
                "after the crash ",
                ...fileStrips(mount.left.files, mount.left.wrong),
                ...wrongWords(mount.left.wrong),
            ),
        );
    const legend = Object.entries(page.colours).map(([name, text]) =>
        make("div", {}, cellBox(name), ` ${text}`),
    );
    pane.append(make("details", { class: "legend" }, make("summary", {}, "colours"), ...legend));
}

function drawWhy() {
    const pane = $("why");
    pane.replaceChildren();
    const steps = mountHere().steps;
    const carry = steps
        .map((step, number) => [step, number + 1])
        .filter(([step]) => step.role === "carrying");
    if (carry.length) {
        pane.append(
            make("h2", {}, "why: the steps that carry what is wrong"),
            make(
                "ul",
                {},
                ...carry.map(([step, number]) =>
                    make(
                        "li",
                        { onclick: () => go(at.mount, number) },
                        `step ${number}, ${step.function}()`,
                    ),
                ),
            ),
        );
    }
    if (page.prevented.length && at.mount === page.mounts.length - 1) {
        pane.append(
            make("h2", {}, "what would have prevented this run"),
            make(
                "ul",
                { id: "prevented" },
                ...page.prevented.map(([number, text]) =>
                    make("li", { onclick: () => go(at.mount, number) }, text),
                ),
            ),
        );
    }
}

function drawSource() {
    const pane = $("source");
    pane.replaceChildren();
    const step = at.point ? mountHere().steps[at.point - 1] : null;
    if (!step || step.source < 0) return;
    const source = page.sources[step.source];
    const lines = source.lines.map((line, number) =>
        make(
            "span",
            { class: source.first + number === source.line ? "at" : "" },
            `${String(source.first + number).padStart(4)}  ${line}\n`,
        ),
    );
    pane.append(
        make("h2", {}, `${source.file}:${source.line}, ${step.function}()`),
        make("pre", {}, ...lines),
    );
}

// ---- moving ----

function draw() {
    drawFile();
    drawCrash();
    drawState();
    drawWhy();
    drawSource();
}

function go(mount, point) {
    const other = mount !== at.mount;
    at.mount = Math.max(0, Math.min(mount, page.mounts.length - 1));
    at.point = Math.max(0, Math.min(point, mountHere().steps.length));
    at.picks = null;
    if (other) drawLanes();
    else mark();
    draw();
    history.replaceState(null, "", `#m${at.mount + 1}s${at.point}`);
}

function move(by) {
    const point = at.point + by;
    if (point > mountHere().steps.length && at.mount + 1 < page.mounts.length)
        return go(at.mount + 1, 0);
    if (point < 0 && at.mount > 0) return go(at.mount - 1, page.mounts[at.mount - 1].steps.length);
    return go(at.mount, point);
}

const last = () => go(at.mount, mountHere().steps.length);

function seek(by, wanted) {
    for (let point = at.point + by; point >= 0 && point <= mountHere().steps.length; point += by) {
        if (wanted(point)) return go(at.mount, point);
    }
}

const carrying = (by) =>
    seek(by, (point) => point > 0 && mountHere().steps[point - 1].role === "carrying");
const bad = (by) =>
    seek(by, (point) =>
        crashAt(mountHere(), point).outcomes.some((one) =>
            one.wrong.some((each) => each.prop === page.prop),
        ),
    );

function find(by) {
    seek(by, (point) => $(`row${point}`).classList.contains("found"));
}

function theme() {
    const root = document.documentElement;
    const dark = root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
}

const KEYS = [
    ["j k", "a step on, a step back"],
    ["n p", "next, previous step that carries what is wrong"],
    ["b B", "next, previous point where a crash shows it"],
    ["g G", "first, last"],
    ["m M", "next, previous mount"],
    ["/", "search; Enter goes to the next hit"],
    ["c", "to the crash panel"],
    ["t", "light or dark"],
    ["?", "this help"],
];

function help() {
    const box = $("help");
    if (box.open) return box.close();
    box.replaceChildren(
        make("h2", {}, "keys"),
        ...KEYS.map(([keys, text]) => make("div", {}, make("kbd", {}, keys), ` ${text}`)),
        make(
            "p",
            {},
            "Bars are locks held, a dashed bar a shared one. Curves are bios. ",
            "The number beside a step counts the bad images of a crash there. ",
            "The page carries its trace: ",
        ),
        make("code", {}, "powercut replay THIS-FILE"),
    );
    box.showModal();
}

const ACTIONS = {
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    n: () => carrying(1),
    p: () => carrying(-1),
    b: () => bad(1),
    B: () => bad(-1),
    g: () => go(at.mount, 0),
    G: last,
    m: () => go(at.mount + 1, 0),
    M: () => go(at.mount - 1, 0),
    t: theme,
    "?": help,
    "/": () => $("search").focus(),
    c: () => ($("crash").querySelector("select") || $("lanes")).focus(),
};

document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.tagName === "INPUT") {
        if (event.key === "Enter") find(event.shiftKey ? -1 : 1);
        if (event.key === "Escape") $("lanes").focus();
        return;
    }
    if (event.target.tagName === "SELECT" && event.key.startsWith("Arrow")) return;
    const action = ACTIONS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
});
window.addEventListener("resize", drawBios);

function start() {
    const wanted = /^#m(\d+)s(\d+)$/.exec(location.hash);
    at.mount = page.mounts.length - 1;
    drawHead();
    drawLanes();
    if (wanted) go(Number(wanted[1]) - 1, Number(wanted[2]));
    else go(at.mount, mountHere().steps.length);
    if (wanted && Number(wanted[1]) - 1 !== page.mounts.length - 1) drawLanes();
    $("lanes").focus({ preventScroll: true });
}
start();
