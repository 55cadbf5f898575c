package record_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"traveler.example/drivers/record"
)

const head = "traveler recording 1\n"

func write(all []record.Exchange) string {
	var b strings.Builder
	b.WriteString(head)
	for _, e := range all {
		b.WriteString(e.String() + "\n")
	}
	return b.String()
}

func TestParse(t *testing.T) {
	const text = head + `# a comment, and an empty line

0.000000 ! no such file
1.000000 +
1.000412 > 5555 0000ff
  2.5000001 `
	all, err := record.Parse(strings.NewReader(strings.TrimSuffix(text, "  2.5000001 ") + "1.065000 < 02\n70.000000 ! device\tgone\n71.000000 +\n71.000000 -\n"))
	if err != nil {
		t.Fatal(err)
	}
	const want = head + "0.000000 ! no such file\n1.000000 +\n1.000412 > 55550000FF\n1.065000 < 02\n70.000000 ! device gone\n71.000000 +\n71.000000 -\n"
	if got := write(all); got != want {
		t.Errorf("read as\n%s", got)
	}
	if all[3].At != 1065*time.Millisecond || string(all[3].Data) != "\x02" {
		t.Errorf("%+v", all[3])
	}
}

func TestParseRefuses(t *testing.T) {
	const open = head + "0.000000 +\n"
	for name, tt := range map[string]struct{ text, want string }{
		"empty":           {"", "is empty"},
		"no header":       {"0.000000 +\n", "line 1 is"},
		"another version": {"traveler recording 2\n", "line 1 is"},
		"no time":         {open + "+\n", "line 3: time"},
		"no decimals":     {open + "1 < 00\n", "line 3: time"},
		"five decimals":   {open + "1.00000 < 00\n", "line 3: time"},
		"negative":        {open + "-1.000000 < 00\n", "line 3: time"},
		"sign inside":     {open + "1.+00000 < 00\n", "line 3: time"},
		"beyond time":     {open + "9999999999.000000 < 00\n", "line 3: time"},
		"no mark":         {open + "1.000000\n", "line 3: mark"},
		"unknown mark":    {open + "1.000000 ? 00\n", "line 3: mark"},
		"no hex":          {open + "1.000000 < 0G\n", "line 3: bytes"},
		"half a byte":     {open + "1.000000 < 0\n", "line 3: bytes"},
		"no bytes":        {open + "1.000000 >\n", "line 3: 0 bytes"},
		"too many bytes":  {open + "1.000000 > " + strings.Repeat("00", record.MaxData+1) + "\n", "line 3: 1025 bytes"},
		"long line":       {open + "# " + strings.Repeat("x", 10_000), "line 3 is longer"},
		"more at an end":  {open + "1.000000 - 00\n", "line 3: \"00\" after the mark"},
		"time goes back":  {open + "# so\n1.000000 < 00\n0.999999 < 00\n", "line 5: time goes back"},
		"opened twice":    {open + "1.000000 +\n", "line 3: the port is opened while it is open"},
		"not open":        {head + "1.000000 < 00\n", "line 2: mark <"},
		"closed twice":    {open + "1.000000 -\n1.000000 -\n", "line 4: mark -"},
		"read after loss": {open + "1.000000 ! gone\n1.000000 < 00\n", "line 4: mark <"},
		"too many":        {open + strings.Repeat("1.000000 < 00\n", record.MaxExchanges), "more than"},
	} {
		all, err := record.Parse(strings.NewReader(tt.text))
		if !errors.Is(err, record.ErrFormat) || !strings.Contains(err.Error(), tt.want) || all != nil {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if _, err := record.Parse(io.MultiReader(strings.NewReader(head), iotest.ErrReader(io.ErrClosedPipe))); !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, record.ErrFormat) {
		t.Errorf("a reader that fails: %v", err)
	}
}

// Whatever a recording holds: no panic, an error that names a line, or exchanges
// that are read back as they are written.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		head, head + "0.000000 +\n0.000001 > 55AA\n0.065000 < 02 03\n1.000000 -\n", head + "0.000000 ! no such file\n",
		head + "0.000000 + \n1.000000 !\n", "traveler recording 1\r\n0.000000 +\r\n", head + "9223372035.999999 +\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := record.Parse(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, record.ErrFormat) || !strings.Contains(err.Error(), "line ") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		again, err := record.Parse(strings.NewReader(write(all)))
		if err != nil || !slices.EqualFunc(all, again, func(a, b record.Exchange) bool { return a.String() == b.String() }) {
			t.Errorf("%q reads back as %v, %v", write(all), again, err)
		}
	})
}
