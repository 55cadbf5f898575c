package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	profiles "traveler.example/firmware-profiles"
)

func (a *app) profileCommand() *cobra.Command {
	return a.group("profile", "Check profiles and show what they make of a gateway", "",
		a.profileCheck(), a.profileList(), a.profileShow())
}

// checkedProfile is what profile check prints for programs.
type checkedProfile struct {
	File    string         `json:"file"`
	OK      bool           `json:"ok"`
	Gateway string         `json:"gateway,omitempty"`
	Station string         `json:"station,omitempty"`
	Mode    string         `json:"mode,omitempty"`
	Devices []fittedDevice `json:"devices,omitempty"`
	Faults  []profileFault `json:"faults"`
}

// fittedDevice is a reader or scale of a profile.
type fittedDevice struct {
	Name   string `json:"name"`
	Device string `json:"device"`
	Wiring string `json:"wiring"`
	Port   string `json:"port"`
}

// devicesOf lists what the gateway of a profile looks for, and where.
func devicesOf(p profiles.Profile) (devices []fittedDevice) {
	for _, r := range p.Readers {
		devices = append(devices, fittedDevice{r.Name, r.Device, string(r.Wiring()), r.Port})
	}
	if p.Scale != nil {
		devices = append(devices, fittedDevice{"scale", p.Scale.Device, string(profiles.WiringSerial), p.Scale.Port})
	}
	return devices
}

type profileFault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Key     string `json:"key,omitempty"`
	Problem string `json:"problem"`
	Remedy  string `json:"remedy,omitempty"`
}

func (a *app) profileCheck() *cobra.Command {
	return a.command("check FILE", "Check a gateway's profile and all that it names",
		"Check a gateway's profile. Every fault is named with file, line, column, key and remedy; nothing is opened or written.",
		func(_ context.Context, args []string) error { return a.checkProfile(args[0]) })
}

func (a *app) checkProfile(file string) error {
	p, err := profiles.Load(file)
	var faults profiles.Faults
	if err != nil && !errors.As(err, &faults) {
		return err
	}
	if a.json {
		doc := checkedProfile{
			File: file, OK: err == nil, Gateway: p.Gateway, Station: p.Work.Station, Mode: string(p.Work.Mode), Devices: devicesOf(p),
			Faults: []profileFault{},
		}
		for _, f := range faults {
			doc.Faults = append(doc.Faults, profileFault{f.File, f.Line, f.Column, f.Key, f.Problem, f.Remedy})
		}
		if perr := a.printJSON(doc); perr != nil {
			return perr
		}
	}
	if err != nil {
		return hintf(err, "%s; nearest right words are named where there are any", count(int64(len(faults)), "fault"))
	}
	if !a.json {
		fmt.Fprintf(a.out, "%s: ok: gateway %s, station %s, mode %s, %s\n",
			file, p.Gateway, p.Work.Station, p.Work.Mode, count(int64(len(p.Readers)), "reader"))
		for _, d := range devicesOf(p) {
			fmt.Fprintf(a.out, "  %s: %s on %s, %s\n", d.Name, d.Device, d.Wiring, d.Port)
		}
	}
	return nil
}

// profileEntry is a built-in profile in a list.
type profileEntry struct {
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

func (a *app) profileList() *cobra.Command {
	return a.command("list", "List the built-in board and station profiles", "",
		func(context.Context, []string) error {
			var all []profileEntry
			for _, e := range profiles.Boards() {
				all = append(all, profileEntry{string(profiles.KindBoard), e.Name, e.Description})
			}
			for _, e := range profiles.Stations() {
				all = append(all, profileEntry{string(profiles.KindStation), e.Name, e.Description})
			}
			return a.print(list(all), func(w io.Writer) {
				t := newTable(w, "KIND", "NAME", "WHAT IT IS")
				for _, e := range all {
					t.row(e.Kind, e.Name, e.Description)
				}
				t.flush()
			})
		})
}

// shownProfile is what profile show prints for programs.
type shownProfile struct {
	Name string `json:"name"`
	TOML string `json:"toml"`
}

func (a *app) profileShow() *cobra.Command {
	return a.command("show FILE | BOARD | STATION", "Show a gateway's whole profile, or a built-in one",
		`Show what a gateway's profile comes to, board and station included, with the
place that each value comes from. The name of a built-in profile shows that.`,
		func(_ context.Context, args []string) error {
			text, err := profileText(args[0])
			if err != nil {
				return err
			}
			return a.print(shownProfile{args[0], string(text)}, func(w io.Writer) { _, _ = w.Write(text) })
		})
}

// profileText is a built-in profile as it is written, or a file composed.
func profileText(name string) ([]byte, error) {
	for _, kind := range []profiles.Kind{profiles.KindBoard, profiles.KindStation} {
		if source, err := profiles.BuiltIn(kind, name); err == nil {
			return source.Text, nil
		}
	}
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no file and: %w", name, profiles.ErrNotFound)
	}
	p, err := profiles.Load(name)
	if err != nil {
		return nil, hintf(err, "traveler profile check %s lists every fault", name)
	}
	return profiles.Show(p), nil
}
