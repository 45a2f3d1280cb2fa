"""The one way data flows: resolve, render, plan, apply, report. Joins the pure rooms with the edges."""
