// Figures reads what `go test -bench` printed and prints one table: each figure
// that the project asks for beside its limit, as the median of all runs.
//
//	go test -run '^$' -bench '^BenchmarkFigure' -count 5 ./... | go run ./.ci/figures
//
// It judges nothing: a limit that is missed stands in the table, and the program
// ends with 0. The figures stand in figures.txt.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	text, err := os.ReadFile(filepath.Join(".ci", "figures", "figures.txt"))
	if err != nil {
		return fmt.Errorf("reading the figures: %w; run it at the root of the tree", err)
	}
	figures, err := parseFigures(string(text))
	if err != nil {
		return err
	}
	measured, err := parseBench(in)
	if err != nil {
		return err
	}
	return table(out, figures, measured)
}

// figure is a row of figures.txt: id | what | benchmark | unit | limit, where the limit
// is "<= 1.35", ">= 0.7" or "-" for none.
type figure struct {
	id, what, benchmark, unit, limit string
}

func parseFigures(text string) ([]figure, error) {
	var all []figure
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			return nil, fmt.Errorf("figures.txt:%d: %d cells, want 5: id | what | benchmark | unit | limit", i+1, len(cells))
		}
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		f := figure{cells[0], cells[1], cells[2], cells[3], cells[4]}
		if _, _, err := f.bound(); err != nil {
			return nil, fmt.Errorf("figures.txt:%d: %w", i+1, err)
		}
		all = append(all, f)
	}
	return all, nil
}

// bound splits the limit.
func (f figure) bound() (sign string, limit float64, err error) {
	if f.limit == "-" {
		return "", 0, nil
	}
	sign, number, _ := strings.Cut(f.limit, " ")
	limit, err = strconv.ParseFloat(number, 64)
	if err != nil || sign != "<=" && sign != ">=" {
		return "", 0, fmt.Errorf("limit %q is not of the form <= 1.5, >= 1.5 or -", f.limit)
	}
	return sign, limit, nil
}

// parseBench reads the lines of benchmarks: the room and the name without Benchmark
// and processors, then by unit the values of all runs. Other lines are passed over.
func parseBench(in io.Reader) (map[string]map[string][]float64, error) {
	all := make(map[string]map[string][]float64)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	room := ""
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 2 && words[0] == "pkg:" {
			_, room, _ = strings.Cut(words[1], "/")
		}
		if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(words[0], "Benchmark")
		if at := strings.LastIndex(name, "-"); at > 0 {
			if _, err := strconv.Atoi(name[at+1:]); err == nil {
				name = name[:at]
			}
		}
		name = room + " " + name
		if all[name] == nil {
			all[name] = make(map[string][]float64)
		}
		for i := 2; i+1 < len(words); i += 2 {
			v, err := strconv.ParseFloat(words[i], 64)
			if err != nil {
				break
			}
			all[name][words[i+1]] = append(all[name][words[i+1]], v)
		}
	}
	return all, lines.Err()
}

func median(vs []float64) float64 {
	vs = slices.Sorted(slices.Values(vs))
	if n := len(vs); n%2 == 0 {
		return (vs[n/2-1] + vs[n/2]) / 2
	}
	return vs[len(vs)/2]
}

func table(out io.Writer, figures []figure, measured map[string]map[string][]float64) error {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "|\t\t| what\t| measured\t| limit\t| runs\t|")
	fmt.Fprintln(w, "|\t---\t| ---\t| ---\t| ---\t| ---\t|")
	for _, f := range figures {
		vs := measured[f.benchmark][f.unit]
		value, verdict := "not measured", ""
		if len(vs) > 0 {
			m := median(vs)
			value = strconv.FormatFloat(m, 'g', 3, 64)
			if m >= 1000 {
				value = strconv.FormatFloat(m, 'f', 0, 64)
			}
			sign, limit, err := f.bound()
			if err != nil {
				return err
			}
			if sign == "<=" && m > limit || sign == ">=" && m < limit {
				verdict = " **missed**"
			}
		}
		fmt.Fprintf(w, "|\t%s\t| %s\t| %s %s%s\t| %s\t| %d\t|\n", f.id, f.what, value, f.unit, verdict, f.limit, len(vs))
	}
	return w.Flush()
}
