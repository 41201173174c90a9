"""Goes through the live page as a person would, in Debian's Chromium, while another process trains.

    python Tests/browser/live_page.py PROLOGUE [--screenshots FOLDER] [--store FOLDER]

Without --store, a small sweep on drawn shapes is trained for it first. Ends with a line 'N passed, N failed'.
"""

import argparse
import csv
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy
from PIL import Image

# The sweep that the tests of the command line train, with snapshots and a second axis.
TINY = (Path(__file__).parents[1] / "Fixtures" / "tiny.yaml").read_text()
SWEEP = TINY.replace("name: tiny", "name: browser").replace("prior:\n  {", "prior:\n  {snapshots: [10, 20], ")
SWEEP += "axes: {tokenizer.codebook: [16, 32]}\n"


def skip(reason):
    print(f"skipped: {reason}")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)


try:
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select, WebDriverWait
except ImportError:
    skip("selenium is not installed; 'make setup-browser' brings it")
if not shutil.which("chromium") or not shutil.which("chromedriver"):
    skip("there is no chromium with its driver; 'make setup-browser' brings both")

def load(address):
    with urllib.request.urlopen(address) as answer:
        return answer.read()


# What every page must have for those who read by ear or by keyboard. Contrast as WCAG 2.1 defines it.
ACCESSIBILITY = """
const problems = [];
const visible = (e) => e.getClientRects().length > 0;
for (const e of document.querySelectorAll('input:not([type=hidden]), select, textarea'))
  if (visible(e) && !e.labels?.length && !e.getAttribute('aria-label')) problems.push('no label: ' + e.outerHTML.slice(0, 90));
for (const e of document.querySelectorAll('button, a'))
  if (visible(e) && !(e.textContent.trim() || e.getAttribute('aria-label') || e.querySelector('img[alt]'))) problems.push('no name: ' + e.outerHTML.slice(0, 90));
for (const e of document.querySelectorAll('img')) if (!e.alt) problems.push('no alt: ' + e.src);
if (document.querySelectorAll('h1').length !== 1) problems.push('not one h1');
if (document.documentElement.lang !== 'en') problems.push('no language');
if (document.querySelector('[tabindex]:not([tabindex="0"]):not([tabindex="-1"])')) problems.push('an order of its own');
const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) problems.push('two of id ' + id);
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
const seen = new Set();
for (const e of document.querySelectorAll('p, a, td, th, h1, h2, h3, li, dt, dd, label, button, figcaption, summary, pre')) {
  if (!visible(e) || e.disabled || !e.textContent.trim()) continue;
  const style = getComputedStyle(e), a = light(parse(style.color)), b = light(ground(e));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const key = style.color + ground(e);
  if (ratio < 4.5 && !seen.has(key)) { seen.add(key); problems.push(`contrast ${ratio.toFixed(2)}: ${e.tagName} ${key}`); }
}
if (document.documentElement.scrollWidth > innerWidth + 1) problems.push(`wider than the window: ${document.documentElement.scrollWidth} > ${innerWidth}`);
return problems;
"""


class Checks:
    def __init__(self):
        self.passed, self.failed = 0, 0

    def __call__(self, name, fact, detail=""):
        self.passed, self.failed = self.passed + bool(fact), self.failed + (not fact)
        print(("ok     " if fact else "FAILED ") + name + (f": {detail}" if detail and not fact else ""), flush=True)


def browser(width=1280, height=1000, dark=False):
    options = webdriver.ChromeOptions()
    for flag in ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},{height}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
    return driver


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("prologue")
    parser.add_argument("--store")
    parser.add_argument("--screenshots")
    given = parser.parse_args()
    program = str(Path(given.prologue).absolute())
    check = Checks()
    folder = Path(tempfile.mkdtemp(prefix="prologue-browser-"))
    started = []
    drivers = []
    try:
        store = Path(given.store) if given.store else folder / "store"
        sweep = folder / "sweep.yaml"
        sweep.write_text(SWEEP)
        if not given.store:
            subprocess.run([program, "sweep", "run", str(sweep), "--store", str(store), "--quiet"], check=True)
        server = subprocess.Popen([program, "serve", "--store", str(store), "--port", "0"], stdout=subprocess.PIPE, text=True)
        started.append(server)
        lines = [server.stdout.readline() for _ in range(3)]
        root = re.search(r"http://\S+", lines[1]).group(0)
        with_token = re.search(r"http://\S+", lines[2]).group(0)
        driver = browser()
        drivers.append(driver)
        wait = WebDriverWait(driver, 60)

        def find(selector):
            return driver.find_element(By.CSS_SELECTOR, selector)

        driver.get(with_token)
        check("the printed address leads to the page without the token", driver.current_url == root, driver.current_url)
        link = next(a for a in driver.find_elements(By.CSS_SELECTOR, "td a") if "/sweep/" in a.get_attribute("href"))
        sweep_page = link.get_attribute("href")
        link.click()
        check("a sweep has a comparison", "Comparison" in driver.page_source and driver.find_elements(By.CSS_SELECTOR, "#comparison td"))

        # Values below the pointer, by mouse and by keyboard.
        plot = find("#curves svg.plot")
        driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
        webdriver.ActionChains(driver).move_to_element(plot).perform()
        check("values show at the pointer", re.search(r"at \d[\s\S]*: -?\d", find(".tip").text), find(".tip").text)
        plot.send_keys(Keys.ARROW_LEFT)
        check("values show by keyboard", find(".tip").is_displayed())
        Select(find("select[name=stage]")).select_by_visible_text("prior")
        wait.until(lambda d: "stage=prior" in d.current_url)
        check("another stage's curves are chosen", "prior: loss" in find("#curves").text)

        def slides(name):
            """Whether the slider moves every picture of its columns, and all of them load."""
            images = driver.find_elements(By.CSS_SELECTOR, f"#{name} img")
            sources = lambda: [i.get_attribute("src") for i in images]
            slider, before, shown = find(f"input[data-moves={name}]"), sources(), find(f"#{name}-shown").text
            slider.send_keys(Keys.HOME if slider.get_attribute("value") != "0" else Keys.END)
            loaded = "return arguments[0].every((i) => i.complete && i.naturalWidth > 0)"
            wait.until(lambda d: d.execute_script(loaded, images))
            return images and all(a != b for a, b in zip(before, sources())) and find(f"#{name}-shown").text != shown

        check("a slider moves all samples to another class", slides("by-class"))
        # One picture: what made it, and its bits.
        find("#by-class a").send_keys(Keys.ENTER)
        wait.until(lambda d: "/samples/" in d.current_url)
        wait.until(lambda d: len(d.find_elements(By.CSS_SELECTOR, "#costs svg.plot")) > 0)
        sample_page, facts = driver.current_url, find(".closer dl").text
        check("a sample tells what made it", all(word in facts for word in ["Run", "class 9", "tokenizer-", "Tokens"]), facts)
        driver.get(sweep_page)
        next(b for b in driver.find_elements(By.TAG_NAME, "button") if b.text == "Draw from every arm").click()
        wait.until(lambda d: d.find_elements(By.ID, "by-step"))
        steps_page = driver.current_url
        check("a slider moves all arms over snapshots", slides("by-step"), find("#by-step-shown").text)
        find("#by-step a").click()
        wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, ".closer"))
        check("a picture of a snapshot has tokens", find("dd.tokens").text and "after 10 steps" in find("h2").text, find("h2").text)
        driver.get(sweep_page)
        check("arms are lines across settings", len(driver.find_elements(By.CSS_SELECTOR, "#axes polyline.line")) == 4)
        Select(find("select[name=score]")).select_by_index(1)
        wait.until(lambda d: "score=" in d.current_url)
        check("settings have a share of another score's variance", "rest" in find("#axes table").text, find("#axes").text)

        # Notes, of a run that the history finds.
        driver.get(root + "history")
        box = find("input[name=q]")
        box.send_keys("stat")
        wait.until(lambda d: find("#options").is_displayed())
        box.send_keys(Keys.ARROW_DOWN, Keys.ENTER)
        check("keys are completed", box.get_attribute("value") == "status", box.get_attribute("value"))
        box.send_keys(" = 'done'", Keys.ENTER)
        wait.until(lambda d: "q=status" in d.current_url)
        rows = lambda: [r.find_elements(By.TAG_NAME, "td")[1].text for r in driver.find_elements(By.CSS_SELECTOR, "tbody tr")]
        order = rows()
        find("th:nth-child(2) button").click()
        first = rows()
        find("th:nth-child(2) button").click()
        check("the table sorts both ways", order and first == sorted(order) and rows() == sorted(order, reverse=True), first)
        for box in driver.find_elements(By.CSS_SELECTOR, "tbody input")[:2]:
            box.click()
        driver.find_elements(By.CSS_SELECTOR, ".table-form > button")[0].click()
        wait.until(lambda d: "/compare" in d.current_url)
        check("two runs stand next to each other", len(driver.find_elements(By.CSS_SELECTOR, "thead th")) == 3)
        driver.get(root + "history?q=status+%3D+%27done%27")
        driver.find_element(By.CSS_SELECTOR, "tbody a[href^='/run/']").click()
        run_page = driver.current_url
        find("form[action$='/notes'] textarea[name=text]:last-of-type")
        area = [a for a in driver.find_elements(By.CSS_SELECTOR, "textarea") if a.is_displayed()][-1]
        area.send_keys("seen <b>by</b> a browser")
        area.find_element(By.XPATH, "./ancestor::form").find_element(By.TAG_NAME, "button").click()
        wait.until(lambda d: "seen <b>by</b> a browser" in d.find_element(By.TAG_NAME, "main").text)
        check("a note is written, as text", not driver.find_elements(By.CSS_SELECTOR, "article b"))
        chips = lambda: [e.text.split()[0] for e in driver.find_elements(By.CSS_SELECTOR, ".chips li")]
        find("input[name=add]").send_keys("keeper", Keys.ENTER)
        wait.until(lambda d: "keeper" in chips())
        driver.get(root + "history?q=tags.keeper")
        tagged = [a.get_attribute("href") for a in driver.find_elements(By.CSS_SELECTOR, "tbody a[href^='/run/']")]
        check("a tag finds its run", tagged == [run_page], tagged)
        driver.get(run_page)
        find("button[aria-label='Remove the tag keeper']").click()
        wait.until(lambda d: "keeper" not in chips())

        # What is saved is what is shown.
        driver.get(root + "history?q=status+%3D+%27done%27")
        shown = [a.text for a in driver.find_elements(By.CSS_SELECTOR, "tbody a[href^='/run/']")]
        saved = list(csv.DictReader(io.StringIO(load(driver.find_element(By.LINK_TEXT, "Export as CSV").get_attribute("href")).decode())))
        check("the table is exported", [row["run"] for row in saved] == shown, f"{saved[:1]} {shown[:1]}")

        # Drawing, and keeping the prologue.
        driver.get(root + "draw")
        runs = Select(find("select[name=run]"))
        chosen = next((o.text for o in runs.options if "prologue" in o.text and "post" not in o.text), runs.options[0].text)
        if runs.first_selected_option.text != chosen:
            runs.select_by_visible_text(chosen)
            wait.until(lambda d: "run=" in d.current_url)
        Select(find("select[name=class]")).select_by_visible_text("3: star")
        find("form[method=post] button").click()
        wait.until(lambda d: "job=" in d.current_url)
        wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, ".drawn img"))
        check("ten pictures are drawn", len(driver.find_elements(By.CSS_SELECTOR, ".drawn img")) == 10)
        arrays = numpy.load(io.BytesIO(load(driver.find_element(By.LINK_TEXT, "Save all as npz").get_attribute("href"))))
        find(".drawn a").click()
        wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, ".closer"))
        tokens = find("dd.tokens").text.split()
        kept = int(find("input[name=keep]").get_attribute("value"))
        picture = numpy.array(Image.open(io.BytesIO(load(driver.find_element(By.LINK_TEXT, "Save as PNG").get_attribute("href")))))
        check("a picture is saved as it is in the npz", any(numpy.array_equal(a[0].squeeze(), picture.squeeze())
              for a in (arrays[key] for key in arrays) if a.ndim == 4), {key: arrays[key].shape for key in arrays})
        next(b for b in driver.find_elements(By.TAG_NAME, "button") if b.text.startswith("Keep the")).click()
        wait.until(lambda d: "job=" in d.current_url and d.find_elements(By.CSS_SELECTOR, ".drawn img"))
        drawn_page = driver.current_url
        driver.find_elements(By.CSS_SELECTOR, ".drawn a")[3].click()
        wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, ".closer"))
        check("the prologue is kept", find("dd.tokens").text.split()[:kept] == tokens[:kept] and kept > 0)
        check("the rest is drawn anew", find("dd.tokens").text.split() != tokens)

        # A training that another process starts moves the curve without a reload.
        driver.get(sweep_page if not given.store else root)
        if not given.store:
            driver.execute_script("window.unchanged = true")
            # Read in one go: the part may be replaced between two questions.
            points = lambda: driver.execute_script(
                "return [...document.querySelectorAll('#curves polyline')].map((p) => p.getAttribute('points')).join(';')")
            before = points()
            wait.until(lambda d: find("#connection").text == "live")
            longer = folder / "longer.yaml"
            longer.write_text(SWEEP.replace("steps: 30, batch: 16, checkpoint_every: 10", "steps: 3000, batch: 16, checkpoint_every: 1000"))
            training = subprocess.Popen([program, "sweep", "run", str(longer), "--store", str(store), "--quiet"])
            started.append(training)
            wait = WebDriverWait(driver, 240)
            wait.until(lambda d: before and points() != before)
            check("a training in another process moves the curve", training.poll() is None, "it moved only after the training")
            check("without a reload", driver.execute_script("return window.unchanged === true"))
            training.terminate()
            training.wait(timeout=120)

        # Every page in every size and both schemes: no errors, nothing unreachable.
        pages = {"sweeps": root, "sweep": sweep_page, "run": run_page, "history": root + "history", "sample": sample_page, "steps": steps_page, "draw": drawn_page}
        for dark in [False, True]:
            for width in [400, 1280, 2500]:
                view = browser(width, 1400, dark)
                drivers.append(view)
                for name, address in pages.items():
                    view.get(address)
                    time.sleep(0.3)
                    problems = view.execute_script(ACCESSIBILITY)
                    check(f"{name}, {width} pixels, {'dark' if dark else 'light'}", not problems, problems)
                    errors = [e for e in view.get_log("browser") if e["level"] == "SEVERE"]
                    check("  no errors in the console", not errors, errors)
                    if given.screenshots:
                        os.makedirs(given.screenshots, exist_ok=True)
                        view.save_screenshot(f"{given.screenshots}/{name}-{width}-{'dark' if dark else 'light'}.png")
                drivers.remove(view)
                view.quit()
        # Tab goes through the page from its beginning.
        driver.get(root)
        order = []
        for _ in range(4):
            driver.switch_to.active_element.send_keys(Keys.TAB) if order else find("body").send_keys(Keys.TAB)
            order.append(driver.switch_to.active_element.text)
        check("the keyboard goes from the top", order == ["Skip to the content", "Sweeps", "History", "Draw"], order)
        errors = [e for e in driver.get_log("browser") if e["level"] == "SEVERE"]
        check("no errors in the console", not errors, errors)
    finally:
        for driver in drivers:
            driver.quit()
        for process in started:
            process.terminate()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{check.passed} passed, {check.failed} failed")
    sys.exit(1 if check.failed else 0)


if __name__ == "__main__":
    main()
