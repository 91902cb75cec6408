package bitbucket

import (
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var pageURL = &url.URL{Scheme: "http", Host: "127.0.0.1:7990", Path: "/bitbucket/admin/server-settings"}

// oldPage is in the manner of Stash: bare attributes, single quotes, upper case.
const oldPage = `<!DOCTYPE html><html><body>
<form action="/bitbucket/search"><input name=q></form>
<FORM ACTION='/bitbucket/admin/server-settings#top' METHOD=Post>
<input type=hidden name=atl_token value='t&amp;1'>
<input name="name" value="M&uuml;ller &amp; S&ouml;hne &quot;x&quot;">
<input id="base-url" name="base.url" type="TEXT" value="http://old:7990">
<input name="licence" value="AAAB" disabled>
<fieldset disabled><legend><input name="inlegend" value="1"></legend><input name="infieldset" value="2"></fieldset>
<input type=checkbox name=sshEnabled CHECKED><input type=checkbox name=other value=y>
<input type=text name=sshBaseUrl value="">
<input type=radio name=r value=a><input type=radio name=r value=b checked>
<input type=checkbox name=many value=1 checked><input type=checkbox name=many value=2 checked>
<select name=lang><option value=en>English<option>  two   words </option></select>
<select name=size multiple><option selected>S<option selected disabled>M<option selected value=l>L</select>
<select name=none multiple><option>x</select>
<select name=two><option selected>x<option selected>y</select>
<textarea name=banner>

 a &lt;b&gt;
c</textarea>
<input name="" value="nameless"><input value="nameless too">
<template><input name="ghost" value="boo"></template>
<!-- <input name="comment" value="boo"> -->
<script>document.write('<input name="script" value="boo">')</script>
<button name=b1 type=button value=1>x</button><button name=save value=1>Save</button>
<input type=submit name=reset value=1><input type=reset name=r2>
</FORM>
<input form="f2" name="elsewhere" value="boo">
<form id="f2" action="other"></form></body></html>`

func TestSettingsFormKeepsEveryControl(t *testing.T) {
	f, index, err := settingsForm(pageURL, []byte(oldPage))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(f.encode())
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"atl_token=t%261", "name=M%C3%BCller+%26+S%C3%B6hne+%22x%22", "base.url=http%3A%2F%2Fold%3A7990", "inlegend=1",
		"sshEnabled=on", "sshBaseUrl=", "r=b", "many=1", "many=2", "lang=en", "size=S", "size=l", "two=y",
		"banner=%0D%0A+a+%3Cb%3E%0D%0Ac", "save=1",
	}, "&")
	if d := cmp.Diff(strings.Split(want, "&"), strings.Split(string(body), "&")); d != "" {
		t.Error(d)
	}
	if f.fields[index].name != "base.url" || f.action.Path != pageURL.Path {
		t.Errorf("base URL field %q, action %s", f.fields[index].name, f.action)
	}
	if i, err := f.textField(true); err != nil || f.fields[i].name != "sshBaseUrl" {
		t.Errorf("SSH base URL: %d, %v", i, err)
	}
	if !f.sshEnabled() {
		t.Error("SSH is enabled on the page")
	}
}

func TestControlsElsewhereBelongByTheirFormAttribute(t *testing.T) {
	page := `<input form=s name=before value=1><form id=s method=post action=""><input name=baseUrl><input name=foreign form=other></form><form id=other></form>`
	f, _, err := settingsForm(pageURL, []byte(page))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range f.fields {
		names = append(names, c.name)
	}
	if d := cmp.Diff([]string{"before", "baseUrl"}, names); d != "" {
		t.Error(d)
	}
}

func TestSettingsFormRefusesWhatItDoesNotKnow(t *testing.T) {
	wrap := func(attrs, inside string) string {
		return `<form method="post" action="server-settings" ` + attrs + `>` + inside + `</form>`
	}
	for name, tc := range map[string]struct{ page, reason string }{
		"no form":                {"<p>drawn by a script</p>", "no form"},
		"form of another page":   {`<form method=post action="/bitbucket/logout"><input name=baseUrl></form>`, "no form"},
		"no base URL":            {wrap("", `<input name=title><input name=sshBaseUrl>`), "no field for the base URL"},
		"two base URLs":          {wrap("", `<input name=baseUrl><input id=base_url name=x>`), "more than one field"},
		"hidden base URL":        {wrap("", `<input type=hidden name=baseUrl value=x>`), "no field for the base URL"},
		"disabled base URL":      {wrap("", `<input name=baseUrl disabled>`), "cannot be edited"},
		"read-only base URL":     {wrap("", `<input name=baseUrl readonly>`), "cannot be edited"},
		"two forms":              {wrap("", `<input name=baseUrl>`) + wrap("", `<input name=baseUrl>`), "more than one form"},
		"GET form":               {`<form action="server-settings"><input name=baseUrl></form>`, "does not know"},
		"multipart":              {wrap(`enctype="multipart/form-data"`, `<input name=baseUrl>`), "does not know"},
		"file upload":            {wrap("", `<input name=baseUrl><input type=file name=logo>`), "does not know"},
		"form to another server": {`<form method=post action="https://evil.example/admin/server-settings"><input name=baseUrl></form>`, "another address"},
	} {
		_, _, err := settingsForm(pageURL, []byte(tc.page))
		if err == nil || !strings.Contains(err.Error(), tc.reason) {
			t.Errorf("%s: %v, want %q", name, err, tc.reason)
		}
	}
}

func TestDifferencesNameTheFieldsThatChanged(t *testing.T) {
	read := func(page string) form {
		f, _, err := settingsForm(pageURL, []byte(page))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	before := read(oldPage)
	after := read(strings.NewReplacer("CHECKED>", ">", "t&amp;1", "another token", "http://old:7990", "https://new/", "value=b checked", "value=b").Replace(oldPage))
	if d := cmp.Diff([]string{"sshEnabled", "r"}, before.differences(after, []string{"base.url"}, false)); d != "" {
		t.Error(d)
	}
	if d := before.differences(before, nil, false); len(d) > 0 {
		t.Errorf("a form differs from itself in %q", d)
	}
}

func FuzzForm(f *testing.F) {
	f.Add(oldPage)
	f.Add(`<form method=post action=server-settings><table><tr><td><input name=baseUrl></table></form>`)
	f.Add(`<form method=post action="//[::1%25x]:0/server-settings"><textarea name=base-url>`)
	f.Add("<form action=server-settings method=post><select name=a><optgroup disabled><option selected>\xff\x00</select><input id=baseurl name=\xfe>")
	f.Fuzz(func(t *testing.T, page string) {
		got, index, err := settingsForm(pageURL, []byte(page))
		errorText([]byte(page))
		if err != nil {
			return
		}
		edited, changed, err := got.edit(index, URLs{Base: "https://git.example.com"})
		if err != nil || len(changed) > 1 {
			t.Fatalf("edit: %q, %v", changed, err)
		}
		body, _ := io.ReadAll(edited.encode())
		pairs, err := url.ParseQuery(string(body))
		if err != nil {
			t.Fatalf("%q is not a form body: %v", body, err)
		}
		count := 0
		for name, values := range pairs {
			count += len(values)
			if name == got.fields[index].name && !strings.Contains(strings.Join(values, "\n"), "https://git.example.com") {
				t.Errorf("the new base URL is not in %q", body)
			}
		}
		if count != len(got.fields) {
			t.Errorf("%d fields, %d sent: %q", len(got.fields), count, body)
		}
	})
}
