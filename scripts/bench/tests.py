"""Tests of the parts that need nothing running."""

import pathlib
import sys
import unittest
import xml.etree.ElementTree as xml

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import counts
import h2load
import load
import plot
import processes
import report
import streams
import tls

WRK = """Running 3s test @ http://127.0.0.1:8000/1k
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.05ms  123.45us   4.56ms   70.00%
    Req/Sec    61.63k     1.00k   63.00k    70.00%
  184889 requests in 3.02s, 229.03MB read
{}Requests/sec:  61221.52
"""


def sample(own, rate=1000.0):
    return load.Sample(rate=rate, own=own, children=0.0, busy=1.0, foreign=0.0)


class Load(unittest.TestCase):
    def test_what_wrk_prints(self):
        self.assertEqual(load.parse(WRK.format("")), (184889, 3.02))

    def test_a_failed_answer_ends_the_run(self):
        for trouble in ("  Non-2xx or 3xx responses: 7\n", "  Socket errors: connect 0, read 3, write 0, timeout 0\n"):
            with self.assertRaisesRegex(SystemExit, trouble.strip()):
                load.parse(WRK.format(trouble))

    def test_a_ratio_is_taken_within_each_round(self):
        slow, fast = [sample(20.0), sample(90.0), sample(30.0)], [sample(10.0), sample(30.0), sample(20.0)]
        relation = load.compared(slow, fast, lambda one: one.own, lambda own, other: own / other)
        self.assertEqual(relation, (1.5, 2.0, 3.0))


class Processes(unittest.TestCase):
    def test_a_program_may_have_any_name(self):
        self.assertEqual(processes.stat_fields("7 (a) b (c)) S 1 7 7\n")[:2], ["S", "1"])

    def test_cpu_time_is_that_of_the_process(self):
        before = processes.cpu_seconds(processes.os.getpid())
        sum(range(100000))
        self.assertGreater(processes.cpu_seconds(processes.os.getpid()), before)


class Counts(unittest.TestCase):
    def test_events_of_perf(self):
        text = "# started\n\n12,,raw_syscalls:sys_enter,5,100.00,,\n<not counted>,,syscalls:sys_enter_read,0,100.00,,\n"
        self.assertEqual(counts.parse_perf(text), {"raw_syscalls:sys_enter": 12})


class Report(unittest.TestCase):
    def test_three_digits(self):
        numbers = [report.number(value) for value in (0.1234, 4.526, 37.64, 99.97, 245.4, 61633.2)]
        self.assertEqual(numbers, ["0.12", "4.53", "37.6", "100", "245", "61,633"])

    def test_a_table(self):
        text = report.table(["name", "us"], [["a", 1]], ["name"])
        self.assertEqual(text, "| name | us |\n| --- | ---: |\n| a | 1 |")


class H2load(unittest.TestCase):
    def test_what_h2load_prints(self):
        text = """Application protocol: h2
finished in 2.00s, 100.00 req/s, 1.00MB/s
requests: 210 total, 210 started, 200 done, 200 succeeded, {} failed, 0 errored, 0 timeout
"""
        self.assertEqual(h2load.parse(text.format(0), "h2"), (200, 2.0))
        for failed, protocol in ((1, "h2"), (0, "http/1.1")):
            with self.assertRaises(SystemExit):
                h2load.parse(text.format(failed), protocol)


class Tls(unittest.TestCase):
    def test_what_the_handshakes_print(self):
        self.assertEqual(tls.parse("7 1.5\n"), (7, 1.5))
        with self.assertRaises(SystemExit):
            tls.parse("0 1.5\n")

    def test_ratios_are_to_nginx(self):
        samples = {(name, what): [sample(2.0 if name == "polygate" else 1.0)] for name in tls.NAMES for what in tls.WORK}
        text = report.encrypted({"samples": samples})
        self.assertIn("| full handshake | polygate | 2.00 | 2.00 (2.00 to 2.00) |", text)
        self.assertIn("| full handshake | nginx | 1.00 | 1 |", text)


class Streams(unittest.TestCase):
    def test_what_curl_prints(self):
        self.assertEqual(streams.parse("1 500000000 0.5\n0 1000000000 1.25\n"), (1.5, 1.75))
        with self.assertRaisesRegex(SystemExit, "2 connections"):
            streams.parse("1 5 0.5\n1 5 0.5\n")


class Plot(unittest.TestCase):
    def test_ticks_enclose_the_values(self):
        self.assertEqual(plot.ticks(54, 2574), [50, 100, 200, 500, 1000, 2000, 5000])
        self.assertEqual(plot.ticks(100, 200), [100, 200])

    def test_a_plot_is_xml_with_a_line_for_each_series(self):
        text = plot.lines("A < B", "calls", "us", (0, 1), [("Go", [1, 9], False), ("Go", [1, 5], True)], note="a & b")
        root = xml.fromstring(text)
        self.assertEqual(len(root.findall("{*}polyline")), 2)
        self.assertIn("A < B", [element.text for element in root.findall("{*}text")])


if __name__ == "__main__":
    unittest.main()
