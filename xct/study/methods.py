"""What a study does, in words, for its report. In: nothing; out: headings and texts."""

from __future__ import annotations

METHODS: tuple[tuple[str, str], ...] = (
    (
        "Grey values",
        "Grey values are μ on a straight line through air (20,000) and the electrolyte (22,100, "
        "measured by depth and radius in each cell), undenoised. Each region of interest lies in "
        "cell coordinates: parts of the bore's radius and of a layer's thickness, by depth from a "
        "surface, so that one set serves all cells. Peak, width, mean, skewness, tail (the part "
        "more than three standard deviations of the noise below the electrolyte) and the "
        "Wasserstein distance to the same region of the pristine cell have 95 % intervals by a "
        "bootstrap of blocks, widened for clusters of particles wider than a block.",
    ),
    (
        "Homogeneity",
        "The mean Wasserstein distance of the regions of one kind from all of them together, "
        "against that of blocks dealt out by chance, scaled for clusters of particles. How far the "
        "regions of the pristine cell lie from each other is what a distance to the pristine cell "
        "must exceed to mean something.",
    ),
    (
        "Layers",
        "Thickness along z between height maps; absent lithium counts as 0 µm. The interval of a "
        "density of counted things is that of a Poisson count. A bound says that the number is "
        "known on one side only: a void on the steel looks like lithium, cracks thinner than the "
        "blur are missed. A change combines the intervals of both cells.",
    ),
    (
        "Codependence",
        "The map of the anode is the lithium that is missing against its mean. Maps of the cathode "
        "are the fraction of its particles that drifted, and the grey value of the particles' "
        "cores less what depth, size and cavities explain: cracks grow with depth and darken a "
        "core as delithiation brightens it, so particles are compared at one depth, and what "
        "cracks scatter counts as noise. Both are smoothed with the same Gaussian, at several "
        "widths, and what depends on the radius alone is taken out, since the beam makes such "
        "structure in every layer. r is Pearson's coefficient, divided by the root of the parts of "
        "both variances that are neither noise nor in the pristine cell, too. p is the part of all "
        "turns of one map about the axis, as it is and mirrored, that give a coefficient as large, "
        "at the strongest of all scales and maps: one p for each cell. The detectable r would be "
        "found in four of five such bores.",
    ),
    (
        "Conclusions and claims",
        "A conclusion is supported where the 95 % interval of the change lies on its side of 0, "
        "contradicted where it lies on the other, and cannot be told where what the data do not "
        "see would hide it: a void on the steel, or in the electrolyte, looks like lithium. Beside "
        "each change of grey values stands what taking all lithium out of NCM811 would make of it: "
        "μ rises by 11 % (X-ray tables), times the fraction of active material in the region. What "
        "the fractions of materials alone would make follows from the labels. Particles hold less "
        "lithium where those whose 95 % interval leaves out x = 1 are surely more than 5 % of "
        "those that are read (Clopper-Pearson).",
    ),
    (
        "Profiles",
        "Undenoised grey values, averaged over discs of 6 µm across the line, or as the study "
        "says. The axes of an inclusion are those of the ellipsoid with the moments of its voxels; "
        "an opening is the integral of what is missing, over the step from electrolyte to air: "
        "blur only widens it.",
    ),
    (
        "Cycling and lithium",
        "A cycle begins with a charge. Capacities are those of the cycler's counter, held against "
        "the integrated current. The net charge is known as well as a charge is known against a "
        "discharge (0.1 % unless the study says otherwise), times all that passed. Lithium lost at "
        "the anode: the difference of mean thicknesses, 2,062 mAh/cm³. In inclusions: none to all "
        "of their volume, since they could be voids. Missing in the cathode: the volume of active "
        "material as LiNi0.8Co0.1Mn0.1O2 with the lithium contents of its particles; anything from "
        "0 to 1 where grey values do not decide; or the cycler's net charge. What is left reacted, "
        "or is not seen. Bounds are added as bounds.",
    ),
    (
        "Cross-sections",
        "The most damaged plane is that with the most area without lithium and the most drifted "
        "particles within 10 µm. One grey window, 19,000 to 41,000, serves all cells.",
    ),
)
