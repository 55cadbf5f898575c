package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 7e6, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func TestLines(t *testing.T) {
	for _, c := range []struct {
		name   string
		level  slog.Level
		colour bool
		say    func(j *Journal)
		want   string
	}{
		{
			"information has no remedy", slog.LevelInfo, false,
			func(j *Journal) {
				j.Event(t.Context(), ScanAccepted, "BR-1 accepted: drill", slog.String(KeyItem, "BR-1"), slog.String(KeyTask, "drill it"))
			},
			"12:00:00.007 info   scan.accepted          BR-1 accepted: drill item=BR-1 task=\"drill it\"\n",
		},
		{
			"a warning says what to do, with fields put in", slog.LevelInfo, false,
			func(j *Journal) {
				j.Event(t.Context(), PortBusy, "port in use", slog.String(KeyPort, "/dev/ttyUSB0"))
			},
			"12:00:00.007 error  port.busy              port in use port=/dev/ttyUSB0\n" +
				"                    → Find the program with fuser -v /dev/ttyUSB0 and end it. If it is a login console, disable its serial-getty service.\n",
		},
		{
			"a field not given is left open", slog.LevelInfo, false,
			func(j *Journal) { j.Event(t.Context(), PortBusy, "port in use") },
			"12:00:00.007 error  port.busy              port in use\n" +
				"                    → Find the program with fuser -v … and end it. If it is a login console, disable its serial-getty service.\n",
		},
		{
			"a remedy of the caller comes first", slog.LevelInfo, false,
			func(j *Journal) {
				j.Event(t.Context(), ReaderDown, "gone", slog.String(KeyRemedy, "plug it in"))
			},
			"12:00:00.007 error  reader.down            gone\n                    → plug it in\n",
		},
		{
			"what could steer a terminal is escaped", slog.LevelInfo, false,
			func(j *Journal) {
				j.Event(t.Context(), ScanTakenIn, "item \x1b[2J\n\"x\" \xff", slog.String(KeyItem, "a\x07\u202eb"), slog.String("k\n", ""))
			},
			"12:00:00.007 info   scan.taken-in          item \\x1b[2J\\n\"x\" \\xff item=\"a\\a\\u202eb\" k\\n=\"\"\n",
		},
		{
			"below the level nothing is written", slog.LevelWarn, false,
			func(j *Journal) { j.Event(t.Context(), DaemonReady, "ready") },
			"",
		},
		{
			"colours", slog.LevelInfo, true,
			func(j *Journal) {
				j.Event(t.Context(), DaemonReady, "ready", slog.String(KeyStation, "S"))
			},
			"\x1b[2m12:00:00.007\x1b[0m \x1b[36mnotice\x1b[0m daemon.ready           ready\x1b[2m station=S\x1b[0m\n",
		},
		{
			"groups, errors and attributes of With", slog.LevelDebug, false,
			func(j *Journal) {
				l := j.With(slog.String(KeyPeer, "G-2")).Logger().WithGroup("mqtt").With("a", 1)
				l.Debug("line", slog.Group("b", slog.Any("c", errors.New("no way"))), slog.Group("empty"), slog.Attr{})
			},
			"debug                         line peer=G-2 mqtt.a=1 mqtt.b.c=\"no way\"\n",
		},
		{
			"an event that is not defined is not lost", slog.LevelInfo, false,
			func(j *Journal) { j.Event(t.Context(), "no.such", "words") },
			"12:00:00.007 error  no.such                words\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			c.say(New(NewLines(&out, c.level, c.colour), at(noon)))
			got := out.String()
			if strings.HasPrefix(c.want, "debug") { // written by slog itself, with its own time
				_, got, _ = strings.Cut(got, " ")
			}
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestOpenTakesLinesWithoutJournal(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	env := map[string]string{"JOURNAL_STREAM": "1:1"} // of a stderr that was redirected since
	j := New(Open(write, func(key string) string { return env[key] }, slog.LevelInfo), at(noon))
	j.Event(t.Context(), DaemonReady, "ready")
	write.Close()
	var line [100]byte
	n, err := read.Read(line[:])
	if want := "12:00:00.007 notice daemon.ready           ready\n"; err != nil || string(line[:n]) != want {
		t.Errorf("got %q, %v; want %q", line[:n], err, want)
	}
}

func TestIsJournal(t *testing.T) {
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]bool{streamOf(t, f): true, "": false, "0:0": false, "x": false} {
		if got := isJournal(f, stream); got != want {
			t.Errorf("JOURNAL_STREAM=%q is taken as %v", stream, got)
		}
	}
	stream := streamOf(t, f)
	f.Close()
	if isJournal(f, stream) {
		t.Error("a closed file is taken for the journal")
	}
}

func TestFieldNames(t *testing.T) {
	for key, want := range map[string]string{
		"item": "ITEM", "traveler_event": "TRAVELER_EVENT", "left_out": "LEFT_OUT", "mqtt.client-id": "MQTT_CLIENT_ID",
		"_pid": "PID", "": "FIELD_", "9lives": "LIVES", "message": "FIELD_MESSAGE", "Priority": "FIELD_PRIORITY", "é": "FIELD_",
		strings.Repeat("a", 70): strings.Repeat("A", 64),
	} {
		if got := fieldName(key); got != want {
			t.Errorf("%q becomes %q, want %q", key, got, want)
		}
	}
}

func ExampleJournal_Event() {
	j := New(NewLines(os.Stdout, slog.LevelInfo, false), at(noon))
	j.Event(context.Background(), ReaderUp, "reader bench answers again", slog.String(KeyReader, "bench"))
	fmt.Println(Remedy(ReaderUp))
	// Output:
	// 12:00:00.007 notice reader.up              reader bench answers again reader=bench
	// Nothing.
}
