// A function in C that hype runs. clang compiles it, with the bindings that wit-bindgen generates from wit/tracks.wit.

#include <math.h>

#include "tracks.h"

typedef exports_acme_tracks_lines_point_t point;

// Returns the distance of a point from the straight line between two others.
static double distance(point p, point from, point to) {
    double dx = to.x - from.x, dy = to.y - from.y, square = dx * dx + dy * dy;
    double along = square == 0 ? 0 : ((p.x - from.x) * dx + (p.y - from.y) * dy) / square;
    along = fmin(fmax(along, 0), 1);
    return hypot(p.x - from.x - along * dx, p.y - from.y - along * dy);
}

// Owns the list of points: frees it, or returns it.
bool exports_acme_tracks_lines_simplify(exports_acme_tracks_lines_list_point_t *points, double tolerance,
                                        exports_acme_tracks_lines_line_t *line,
                                        exports_acme_tracks_lines_problem_t *problem) {
    point *p = points->ptr;
    size_t count = points->len;
    problem->tag = EXPORTS_ACME_TRACKS_LINES_PROBLEM_TOO_FEW;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(p[i].x) && isfinite(p[i].y)) continue;
        problem->tag = EXPORTS_ACME_TRACKS_LINES_PROBLEM_NOT_FINITE;
        problem->val.not_finite = i;
        count = 0;
    }
    if (count < 2) {
        exports_acme_tracks_lines_list_point_free(points);
        return false;
    }
    // Each kept point is followed by the last one that can be reached straight, without passing any point too far away.
    size_t kept = 1, start = 0;
    for (size_t end = 2; end < count; end++) {
        for (size_t i = start + 1; i < end; i++) {
            if (distance(p[i], p[start], p[end]) <= tolerance) continue;
            start = end - 1;
            p[kept++] = p[start];
            break;
        }
    }
    p[kept++] = p[count - 1];
    line->points.ptr = p;
    line->points.len = kept;
    line->length = 0;
    for (size_t i = 1; i < kept; i++) line->length += hypot(p[i].x - p[i - 1].x, p[i].y - p[i - 1].y);
    return true;
}
