# Writes reference.json: what R says about two public data sets, to compare Nodal's survival room with.
#
#     apt-get install r-base-core r-cran-survival r-cran-rms r-cran-proc r-cran-riskregression r-cran-glmnet r-cran-jsonlite
#     Rscript reference.R            (in this folder)
#
# Data: survival::lung (ph.ecog known: 227 rows) and TH.data::GBSG2 (686 rows). Times are days.
suppressMessages({
  library(survival)
  library(rms)
  library(pROC)
  library(riskRegression)
  library(glmnet)
  library(jsonlite)
})
data(GBSG2, package = "TH.data")
lung <- survival::lung[!is.na(survival::lung$ph.ecog), c("time", "status", "age", "sex", "ph.ecog")]
lung$event <- lung$status - 1
GBSG2$event <- GBSG2$cens
GBSG2$grade <- factor(as.character(GBSG2$tgrade))
for (name in c("horTh", "menostat")) GBSG2[[name]] <- factor(as.character(GBSG2[[name]]))

cox <- function(formula, data, patients, times) {
  fit <- coxph(formula, data = data, ties = "efron", x = TRUE, model = TRUE, control = coxph.control(eps = 1e-11))
  curve <- survfit(fit, newdata = data[patients, ], conf.type = "log-log")
  at <- summary(curve, times = times)
  base <- survfit(fit, newdata = data[patients, ], conf.type = "none", ctype = 1, stype = 2)
  lp <- predict(fit, type = "lp")
  harrell <- concordance(Surv(data$time, data$event) ~ lp, reverse = TRUE)
  list(
    names = names(coef(fit)), coefficients = unname(coef(fit)), errors = unname(sqrt(diag(vcov(fit)))),
    null_log_likelihood = fit$loglik[1], log_likelihood = fit$loglik[2], n = fit$n, events = fit$nevent,
    means = unname(colMeans(fit$x)),
    harrell = unname(harrell$concordance), harrell_error = sqrt(unname(harrell$var)),
    survival = t(at$surv), lower = t(at$lower), upper = t(at$upper),
    breslow_baseline_survival = t(summary(base, times = times)$surv)
  )
}

pair <- function(formula_one, formula_two, data) {
  both <- concordance(coxph(formula_one, data = data, model = TRUE), coxph(formula_two, data = data, model = TRUE))
  gap <- c(1, -1)
  list(c = unname(both$concordance), error = unname(sqrt(diag(both$var))),
       difference_error = sqrt(drop(gap %*% both$var %*% gap)))
}

scored <- function(fit_formula, data, times) {
  fit <- coxph(fit_formula, data = data, ties = "efron", x = TRUE, y = TRUE, model = TRUE)
  # The baseline of coxph at each time: probabilities of the event, a column per time.
  risk <- 1 - t(summary(survfit(fit, newdata = data), times = times)$surv)
  found <- Score(list(model = risk), formula = Surv(time, event) ~ 1, data = data, times = times,
                 metrics = c("auc", "brier"), cens.model = "km", conf.int = FALSE, null.model = TRUE)
  brier <- as.data.frame(found$Brier$score)
  list(auc = as.data.frame(found$AUC$score)$AUC, brier = brier$Brier[brier$model == "model"],
       null_brier = brier$Brier[brier$model == "Null model"])
}

kaplan <- function(data, group, times) {
  all <- survfit(Surv(time, event) ~ 1, data = data, conf.type = "log-log")
  at <- summary(all, times = times)
  test <- survdiff(Surv(time, event) ~ data[[group]], data = data)
  reverse <- survfit(Surv(time, 1 - event) ~ 1, data = data)
  list(survival = at$surv, lower = at$lower, upper = at$upper, at_risk = at$n.risk, std_err = at$std.err,
       median = unname(summary(all)$table[c("median", "0.95LCL", "0.95UCL")]),
       log_rank = test$chisq, log_rank_p = test$pvalue,
       median_follow_up = unname(summary(reverse)$table["median"]))
}

nomograms <- function(formula, data, patients, times, ...) {
  # Every value from the least to the most belongs to the axis, as Nodal takes it.
  axis_limits <<- datadist(data, q.display = c(0, 1))
  options(datadist = "axis_limits")
  fit <- cph(formula, data = data, x = TRUE, y = TRUE, surv = TRUE, time.inc = times[1], ties = "efron", eps = 1e-11)
  drawn <- nomogram(fit, lp = TRUE, maxscale = 100, nint = 10)
  axes <- list()
  total <- rep(0, length(patients))
  for (name in fit$Design$name) {
    axis <- drawn[[name]]
    axes[[name]] <- list(values = as.character(axis[[name]]), points = unname(axis$points), xbeta = unname(axis$Xbeta))
    given <- data[patients, name]
    total <- total + if (is.factor(given)) {
      axis$points[match(as.character(given), axis[[name]])]
    } else {
      # Points are a straight line of the value.
      line <- lm(axis$points ~ as.numeric(axis[[name]]))
      coef(line)[1] + coef(line)[2] * given
    }
  }
  predicted <- survest(fit, newdata = data[patients, ], times = times, conf.int = 0.95)
  list(names = fit$Design$name, axes = axes, total_ticks = drawn$total.points$x, patients = patients,
       patient_points = unname(total), survival = unname(predicted$surv), center = unname(fit$center))
}

rows <- c(1, 2, 17, 50, 120, 200)
times_lung <- c(90, 180, 365, 730)
times_gbsg <- c(365, 730, 1095, 1825)
lung_formula <- Surv(time, event) ~ age + sex + ph.ecog
gbsg_formula <- Surv(time, event) ~ age + horTh + menostat + pnodes + progrec + grade + tsize + estrec
gbsg_short <- Surv(time, event) ~ age + pnodes

label <- GBSG2$time >= 1095 | GBSG2$event == 1
known <- GBSG2[label, ]
truth <- known$event == 1 & known$time <= 1095
roc_one <- roc(truth, known$pnodes, direction = "<", levels = c(FALSE, TRUE))
roc_two <- roc(truth, -known$progrec, direction = "<", levels = c(FALSE, TRUE))
compared <- roc.test(roc_one, roc_two, method = "delong", paired = TRUE)

numbers <- as.matrix(GBSG2[, c("age", "tsize", "pnodes", "progrec", "estrec")])
penalty <- c(0.15, 0.05, 0.01)
z <- scale(numbers, scale = apply(numbers, 2, function(v) sqrt(mean((v - mean(v))^2))))
net <- glmnet(z, Surv(GBSG2$time, GBSG2$event), family = "cox", standardize = FALSE, thresh = 1e-14, maxit = 1e7)

full <- coxph(gbsg_formula, data = GBSG2)
lp <- predict(full, type = "lp")
tau <- 1825
uno <- concordance(Surv(time, event) ~ lp, data = GBSG2, timewt = "n/G2", ymax = tau, reverse = TRUE)

reference <- list(
  made_with = list(R = R.version.string, survival = as.character(packageVersion("survival")),
                   rms = as.character(packageVersion("rms")), pROC = as.character(packageVersion("pROC")),
                   riskRegression = as.character(packageVersion("riskRegression")),
                   glmnet = as.character(packageVersion("glmnet"))),
  rows = rows,
  lung = list(
    times = times_lung, sums = as.list(colSums(lung[, c("time", "event", "age", "sex", "ph.ecog")])),
    cox = cox(lung_formula, lung, rows, times_lung), kaplan_meier = kaplan(lung, "sex", times_lung),
    nomogram = nomograms(lung_formula, lung, rows, times_lung),
    concordance_pair = pair(lung_formula, Surv(time, event) ~ age, lung),
    score = scored(lung_formula, lung, times_lung)
  ),
  gbsg2 = list(
    times = times_gbsg, sums = as.list(colSums(GBSG2[, c("time", "event", "age", "pnodes", "progrec", "estrec", "tsize")])),
    cox = cox(gbsg_formula, GBSG2, rows, times_gbsg), kaplan_meier = kaplan(GBSG2, "horTh", times_gbsg),
    nomogram = nomograms(gbsg_formula, GBSG2, rows, times_gbsg),
    concordance_pair = pair(gbsg_formula, gbsg_short, GBSG2),
    score = scored(gbsg_formula, GBSG2, times_gbsg),
    uno = list(tau = tau, c = unname(uno$concordance)),
    delong = list(horizon = 1095, auc = c(auc(roc_one), auc(roc_two)), variance = c(var(roc_one), var(roc_two)),
                  covariance = cov(roc_one, roc_two), p = compared$p.value),
    lasso = list(columns = colnames(numbers), penalty = penalty,
                 coefficients = t(as.matrix(coef(net, s = penalty, exact = TRUE, x = z,
                                                 y = Surv(GBSG2$time, GBSG2$event), thresh = 1e-14, maxit = 1e7))))
  ),
  pretty = list(ranges = list(c(39, 82), c(0, 1), c(1.3, 2.7), c(-3, 17), c(21, 80), c(0, 2380), c(-0.0013, 0.0042)),
                ticks = lapply(list(c(39, 82), c(0, 1), c(1.3, 2.7), c(-3, 17), c(21, 80), c(0, 2380), c(-0.0013, 0.0042)),
                               pretty, n = 10)),
  tables = list(
    welch = t.test(age ~ horTh, data = GBSG2)$p.value,
    mann_whitney = wilcox.test(pnodes ~ horTh, data = GBSG2, exact = FALSE)$p.value,
    chi_squared = chisq.test(table(GBSG2$horTh, GBSG2$grade), correct = FALSE)$p.value,
    fisher = fisher.test(matrix(c(3, 1, 1, 9), 2))$p.value
  )
)
write_json(reference, "reference.json", digits = 12, auto_unbox = TRUE, pretty = FALSE)
